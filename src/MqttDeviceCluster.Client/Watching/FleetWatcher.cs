using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>One watch over the fleet: known to every silo, renewed while it lives, and read by one reader.</summary>
internal sealed partial class FleetWatcher : IFleetObserver, IAsyncDisposable
{
    private static readonly TimeSpan ReferenceGrace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(200);

    private readonly IGrainFactory _grains;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly WatchBuffer _buffer;
    private readonly WatchSources _sources;
    private readonly Lock _lock = new();
    private readonly IFleetObserver _reference;
    private readonly WatchRegistration _registration;
    private readonly TaskCompletionSource<DateTimeOffset> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _renewing;

    public FleetWatcher(IGrainFactory grains, WatchOptions options, TimeProvider time, ILogger logger)
    {
        _grains = grains;
        _time = time;
        _logger = logger;
        _buffer = new(options.BufferSize, time);
        _sources = new(_buffer.Add, time);
        _reference = grains.CreateObjectReference<IFleetObserver>(this);
        _registration = new(Guid.NewGuid(), _reference, options);

        // The caller's grain, if it is one, must not be where the loop runs.
        using (ExecutionContext.SuppressFlow())
        {
            _renewing = Task.Run(RenewAsync);
        }
    }

    /// <summary>Gets a task that ends when every silo has heard of the watch, with the time of that.</summary>
    public Task<DateTimeOffset> Started => _started.Task;

    Task IFleetObserver.OnEventsAsync(WatchBatch batch)
    {
        lock (_lock)
        {
            _sources.Take(batch);
        }

        return Task.CompletedTask;
    }

    /// <summary>Waits for the next event.</summary>
    public ValueTask<DeviceEvent> ReadAsync(CancellationToken cancellationToken) => _buffer.ReadAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _renewing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _started.TrySetCanceled();
        try
        {
            await _grains.GetGrain<IFleetGrain>(0).UnwatchAsync(_registration.WatchId).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // The cluster cannot be reached, or this process is ending: the silos give the watch up by themselves.
            LogNotEnded(exception, _registration.WatchId);
        }

        _ = ForgetReferenceAsync();
        _stopping.Dispose();
    }

    /// <summary>Lets the reference go a little later: a batch that is still on its way must find somebody, or its silo waits for an answer.</summary>
    private async Task ForgetReferenceAsync()
    {
        await Task.Delay(ReferenceGrace, _time).ConfigureAwait(false);
        try
        {
            _grains.DeleteObjectReference<IFleetObserver>(_reference);
        }
        catch (Exception exception)
        {
            // The client is gone by now, and its references with it.
            LogNotEnded(exception, _registration.WatchId);
        }
    }

    private async Task RenewAsync()
    {
        var delay = FirstRetryDelay;
        var failures = 0;
        while (true)
        {
            try
            {
                var receipt = await _grains.GetGrain<IFleetGrain>(0).WatchAsync(_registration with { IsRenewal = _started.Task.IsCompleted }).WaitAsync(_stopping.Token).ConfigureAwait(false);
                lock (_lock)
                {
                    _sources.Take(receipt);
                }

                if (receipt.Unreachable.IsEmpty)
                {
                    _started.TrySetResult(_time.GetUtcNow());
                }

                if (failures > 0)
                {
                    LogRenewed(_registration.WatchId, failures);
                }

                failures = 0;
                delay = receipt.Unreachable.IsEmpty ? FleetWatch.RenewInterval : FirstRetryDelay;
            }
            catch (ArgumentException exception) when (!_started.Task.IsCompleted)
            {
                // The watch is wrong, and will not get better. One that was accepted before is not.
                _started.TrySetException(exception);
                return;
            }
            catch (Exception exception) when (!_stopping.IsCancellationRequested)
            {
                // Whatever it was, the cluster may come back; the reader hears of the gap then.
                if (++failures == 1)
                {
                    LogNotRenewed(exception, _registration.WatchId);
                }

                delay = failures == 1 ? FirstRetryDelay : delay * 2 < FleetWatch.RenewInterval ? delay * 2 : FleetWatch.RenewInterval;
            }

            await Task.Delay(delay, _time, _stopping.Token).ConfigureAwait(false);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Watch {WatchId} over the devices does not reach the cluster; it is tried again until it does.")]
    private partial void LogNotRenewed(Exception exception, Guid watchId);

    [LoggerMessage(LogLevel.Information, "Watch {WatchId} over the devices reached the cluster again after {Failures} failures.")]
    private partial void LogRenewed(Guid watchId, int failures);

    [LoggerMessage(LogLevel.Debug, "The end of watch {WatchId} could not be told to the cluster.")]
    private partial void LogNotEnded(Exception exception, Guid watchId);
}
