using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;
using Orleans.Serialization;

namespace MqttDeviceCluster;

/// <summary>
/// Sends one watch's events from this silo to its watcher: one batch at a time, and what gathers meanwhile is the next one. A batch that fails is sent again, and the
/// watcher knows it by its number. An event that a watcher of an older version does not know is a gap to it.
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
    private bool _saidUnreadable;

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

            switch (await TrySendAsync(batch))
            {
                case Attempt.Sent:
                    return;
                case Attempt.Unreadable when batch.Events.Length > 1:
                    await SendEachAsync(batch);
                    return;
                case Attempt.Unreadable when batch.Events is [not GapEvent and var unknown]:
                    if (!_saidUnreadable)
                    {
                        _saidUnreadable = true;
                        LogUnreadable(WatchId, unknown.GetType().Name);
                    }

                    batch = batch with { Events = [new GapEvent(unknown.DeviceId, unknown.At, GapReason.UnknownEvent, 1)] };
                    continue;
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

    /// <summary>Sends the events of a batch one by one, so that all those arrive that can be read.</summary>
    private async Task SendEachAsync(WatchBatch batch)
    {
        for (var i = 0; i < batch.Events.Length; i++)
        {
            await SendAsync(batch with
            {
                First = batch.First + i,
                Events = [batch.Events[i]],
                Leaving = batch.Leaving && i == batch.Events.Length - 1,
                LostSilos = i == 0 ? batch.LostSilos : [],
            });
        }
    }

    private async Task<Attempt> TrySendAsync(WatchBatch batch)
    {
        // Before the call: a stop that begins during it must cut it short.
        var isLastResort = _siloStopping.IsCancellationRequested;
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        await using var stop = _siloStopping.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), giveUp);
        try
        {
            await _observer.OnEventsAsync(batch).WaitAsync(isLastResort ? _stopping.Token : giveUp.Token);
            return Attempt.Sent;
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested && exception is SerializerException or TypeLoadException)
        {
            // The watcher, or a silo on the way to it, is older than this one.
            LogNotSent(exception, WatchId, batch.First);
            return Attempt.Unreadable;
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            // Whatever it was, the watcher may be reached again before its lease ends; if it is not, the lease ends this.
            LogNotSent(exception, WatchId, batch.First);
            return Attempt.Failed;
        }
    }

    private enum Attempt
    {
        Sent,
        Failed,
        Unreadable,
    }

    [LoggerMessage(LogLevel.Warning, "The watcher of watch {WatchId}, or a silo on the way to it, is of a version that does not know {Event}: it is told of a gap.")]
    private partial void LogUnreadable(Guid watchId, string @event);

    [LoggerMessage(LogLevel.Debug, "Events of watch {WatchId} from number {First} could not be sent; they are sent again.")]
    private partial void LogNotSent(Exception exception, Guid watchId, long first);
}
