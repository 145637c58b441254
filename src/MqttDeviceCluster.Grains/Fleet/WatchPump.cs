using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>
/// Sends one watch's events from this silo to its watcher: one batch at a time, and what gathers meanwhile is the next one. A batch that fails is sent again, and the
/// watcher knows it by its number.
/// </summary>
internal sealed partial class WatchPump : IAsyncDisposable
{
    public const int MaxBatchSize = 512;

    /// <summary>The least time between two batches: a busy fleet is told in a hundred messages a second and not in thousands.</summary>
    private static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(2);

    private readonly WatchSubscription _subscription;
    private readonly IFleetObserver _observer;
    private readonly WatchSource _source;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _run;
    private long _renewedAt;

    public WatchPump(WatchRegistration registration, WatchSubscription subscription, string silo, TimeProvider time, ILogger logger)
    {
        _subscription = subscription;
        _observer = registration.Observer;
        _source = new(silo, subscription.Id);
        _time = time;
        _logger = logger;
        WatchId = registration.WatchId;
        Registration = registration;
        Renew();

        // On the thread pool and without the caller's context: it outlives the call that began it.
        using (ExecutionContext.SuppressFlow())
        {
            _run = Task.Run(RunAsync);
        }
    }

    public Guid WatchId { get; }

    public WatchRegistration Registration { get; }

    public WatchSource Source => _source;

    public WatchSubscription Subscription => _subscription;

    public bool IsExpired => _time.GetElapsedTime(Volatile.Read(ref _renewedAt)) > FleetWatch.Lease;

    public void Renew() => Volatile.Write(ref _renewedAt, _time.GetTimestamp());

    /// <summary>Says that this silo leaves, and waits until that and everything before it is sent.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        _subscription.NoteLeaving();
        await _run.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (true)
        {
            await _subscription.WaitAsync(_stopping.Token);
            while (_subscription.TryTake(_source, MaxBatchSize) is { } batch)
            {
                await SendAsync(batch);
                _subscription.NoteDelivered(batch);
                if (batch.Leaving)
                {
                    return;
                }

                await Task.Delay(MinInterval, _time, _stopping.Token);
            }
        }
    }

    private async Task SendAsync(WatchBatch batch)
    {
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay = delay * 2 < MaxRetryDelay ? delay * 2 : MaxRetryDelay)
        {
            try
            {
                await _observer.OnEventsAsync(batch).WaitAsync(_stopping.Token);
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !_stopping.IsCancellationRequested)
            {
                // Whatever it was, the watcher may be reached again before its lease ends; if it is not, the lease ends this.
                LogNotSent(exception, WatchId, batch.First);
                await Task.Delay(delay, _time, _stopping.Token);
            }
        }
    }

    [LoggerMessage(LogLevel.Debug, "Events of watch {WatchId} from number {First} could not be sent; they are sent again.")]
    private partial void LogNotSent(Exception exception, Guid watchId, long first);
}
