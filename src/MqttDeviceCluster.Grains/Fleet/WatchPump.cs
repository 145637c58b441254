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
    private readonly Func<Guid, WatchBatch, Task<bool>> _relay;
    private readonly CancellationToken _siloStopping;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _run;
    private long _renewedAt;

    /// <param name="registration">The watch.</param>
    /// <param name="subscription">Its events.</param>
    /// <param name="silo">The name of this silo.</param>
    /// <param name="relay">Sends a batch by way of another silo, and returns whether that worked.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    /// <param name="siloStopping">Cancelled when this silo begins to stop.</param>
    public WatchPump(
        WatchRegistration registration,
        WatchSubscription subscription,
        string silo,
        Func<Guid, WatchBatch, Task<bool>> relay,
        TimeProvider time,
        ILogger logger,
        CancellationToken siloStopping)
    {
        _subscription = subscription;
        _observer = registration.Observer;
        _source = new(silo, subscription.Id);
        _relay = relay;
        _siloStopping = siloStopping;
        _time = time;
        _logger = logger;
        WatchId = registration.WatchId;
        Registration = registration;
        Renew();

        // On the thread pool and without the caller's context: it outlives the call that began it.
        using (ExecutionContext.SuppressFlow())
        {
            _run = Task.Run(RunAsync, CancellationToken.None);
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

    /// <summary>Sends a batch of another silo.</summary>
    public Task SendForAsync(WatchBatch batch) => _observer.OnEventsAsync(batch);

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
            // A silo that stops has told its clients to leave it, hears no more answers of theirs, and cannot look up where they went: the others know.
            if (_siloStopping.IsCancellationRequested && await _relay(WatchId, batch).WaitAsync(_stopping.Token))
            {
                return;
            }

            if (await TrySendAsync(batch))
            {
                return;
            }

            if (!_siloStopping.IsCancellationRequested)
            {
                await Task.Delay(delay, _time, _stopping.Token);
            }
            else if (delay > TimeSpan.FromMilliseconds(100))
            {
                // Neither way works, and there is no other: not as fast as it goes.
                await Task.Delay(TimeSpan.FromMilliseconds(100), _time, _stopping.Token);
            }
        }
    }

    private async Task<bool> TrySendAsync(WatchBatch batch)
    {
        // Before the call: a stop that begins during it must cut it short.
        var isLastResort = _siloStopping.IsCancellationRequested;
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        await using var stop = _siloStopping.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), giveUp);
        try
        {
            await _observer.OnEventsAsync(batch).WaitAsync(isLastResort ? _stopping.Token : giveUp.Token);
            return true;
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            // Whatever it was, the watcher may be reached again before its lease ends; if it is not, the lease ends this.
            LogNotSent(exception, WatchId, batch.First);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Debug, "Events of watch {WatchId} from number {First} could not be sent; they are sent again.")]
    private partial void LogNotSent(Exception exception, Guid watchId, long first);
}
