using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster;

/// <summary>Calls back for each event of a watch, one at a time.</summary>
internal sealed partial class UpdateSubscription : IUpdateSubscription
{
    private readonly FleetWatcher _watcher;
    private readonly Func<DeviceEvent, CancellationToken, Task> _callback;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Task _run;
    private Task? _disposed;

    public UpdateSubscription(FleetWatcher watcher, Func<DeviceEvent, CancellationToken, Task> callback, ILogger logger)
    {
        _watcher = watcher;
        _callback = callback;
        _logger = logger;
        using (ExecutionContext.SuppressFlow())
        {
            _run = Task.Run(RunAsync);
        }
    }

    public Task Started => _watcher.Started;

    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _disposed ??= DisposeCoreAsync();
        }

        return new(_disposed);
    }

    private async Task DisposeCoreAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _watcher.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        await _watcher.Started.WaitAsync(_stopping.Token).ConfigureAwait(false);
        while (true)
        {
            var value = await _watcher.ReadAsync(_stopping.Token).ConfigureAwait(false);
            try
            {
                await _callback(value, _stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // The next event comes all the same: one bad moment of a callback must not end the watch.
                LogCallbackFailed(exception, value.GetType().Name, value.DeviceId);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "A callback failed for a {Event} of device '{DeviceId}'; the next one is called all the same.")]
    private partial void LogCallbackFailed(Exception exception, string @event, string? deviceId);
}
