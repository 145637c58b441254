using System.Globalization;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// Notices that the process did not run for a while: it was stopped, swapped out, out of threads, or its machine was suspended. The other silos may have declared it
/// dead meanwhile, so it does nothing more until it has read that it was not, and never again what it took before. The same where another silo has taken its session and it cannot
/// read whether it is still a member.
/// </summary>
/// <remarks>
/// <para>A timer on the thread pool, where probes are answered as well, ticks four times a second; everyone who asks compares the last tick with the clock, since after a
/// pause the timer may not be the first to run. Two clocks: the monotonic one goes on while a process is stopped, and only the wall clock also while a machine
/// sleeps. A step of the wall clock looks like a pause, and costs a second of refused commands.</para>
/// <para>A virtual machine that was paused with both its clocks is not noticed.</para>
/// </remarks>
internal sealed partial class PauseFence(IOwnMembership membership, TimeProvider time, ILogger<PauseFence> logger)
    : IMqttFence, IDeviceFence, ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    /// <summary>The longest pause that goes unnoticed. Others need three missed probes, 2 s apart or more, to declare a silo dead.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long it stays closed at least. What came in during the pause waits in the system's buffers, its callers may have given up, and nothing in it says
    /// how old it is: it is read, and refused, in this time.
    /// </summary>
    internal static readonly TimeSpan SettleTime = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stopping = new();
    private volatile CancellationTokenSource _closing = new();
    private volatile State _state = new(null, long.MinValue, "");
    private ITimer? _timer;
    private long _tick;
    private long _wallTick;
    private bool _disposed;
    private int _pauses;

    /// <summary>Gets how many pauses were noticed.</summary>
    public int Pauses => Volatile.Read(ref _pauses);

    /// <summary>Gets whether nothing is published and delivered at the moment.</summary>
    public bool IsClosed => _state.Closed is not null;

    public CancellationToken Closing => _closing.Token;

    public string? WhyClosed(long since)
    {
        Look();
        var state = _state;
        return state.Closed ?? (since <= state.PausedUntil ? state.Reason : null);
    }

    /// <remarks>
    /// A silo that is cut off from the others and from their table, but not from the broker, would else take the session from the one that has it by right, again and again. It does not
    /// publish either, until it knows.
    /// </remarks>
    public async Task<string?> WhyNotTakeBackAsync(CancellationToken cancellationToken)
    {
        string reason;
        try
        {
            using CancellationTokenSource timeout = new(ReadTimeout, time);
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            if (await membership.IsMemberAsync(bound.Token))
            {
                return null;
            }

            reason = "the cluster declared the silo dead";
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            reason = "another silo has the MQTT session, and whether this one is still part of the cluster cannot be read";
            LogNotKnown(exception);
        }

        Close(reason);
        return reason;
    }

    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        nameof(PauseFence), ServiceLifecycleStage.Active, _ => Start(), static _ => Task.CompletedTask);

    /// <remarks>The container disposes it once for each service that it is.</remarks>
    public void Dispose()
    {
        if (!Interlocked.Exchange(ref _disposed, true))
        {
            _timer?.Dispose();
            _stopping.Cancel();
            _stopping.Dispose();
        }
    }

    internal Task Start()
    {
        Beat();
        _timer = time.CreateTimer(static fence => ((PauseFence)fence!).Tick(), this, Period, Period);
        return Task.CompletedTask;
    }

    internal void Tick()
    {
        // Read before the look: a pause between the look and the beat shows at the next one.
        var (wall, monotonic) = (time.GetUtcNow().UtcTicks, time.GetTimestamp());
        Look();
        lock (_lock)
        {
            if (monotonic > Volatile.Read(ref _tick))
            {
                Beat(wall, monotonic);
            }
        }
    }

    private void Beat() => Beat(time.GetUtcNow().UtcTicks, time.GetTimestamp());

    private void Beat(long wall, long monotonic)
    {
        Volatile.Write(ref _wallTick, wall);
        Volatile.Write(ref _tick, monotonic);
    }

    // After the pause this may run before any tick.
    private void Look()
    {
        if (SinceTick() <= Limit)
        {
            return;
        }

        CancellationTokenSource closing;
        lock (_lock)
        {
            var pause = SinceTick();
            if (pause <= Limit)
            {
                return;
            }

            _pauses++;
            LogPaused(pause);

            // The state before the tick: who finds the new tick finds the new state.
            closing = CloseLocked(string.Create(CultureInfo.InvariantCulture, $"the silo did not run for {pause.TotalSeconds:0.#} s"));
            Beat();
        }

        // What it ends may take long, and takes locks: not on the thread of someone who only asks.
        _ = closing.CancelAsync();
    }

    private void Close(string reason)
    {
        CancellationTokenSource closing;
        lock (_lock)
        {
            if (_state.Closed is not null)
            {
                return;
            }

            closing = CloseLocked(reason);
        }

        _ = closing.CancelAsync();
    }

    private CancellationTokenSource CloseLocked(string reason)
    {
        if (_state.Closed is null)
        {
            _ = ConfirmAsync();
        }

        _state = new(reason, time.GetTimestamp(), reason);
        var closing = _closing;
        _closing = new();
        return closing;
    }

    private TimeSpan SinceTick()
    {
        var tick = Volatile.Read(ref _tick);
        if (tick == 0)
        {
            // It has not started: nobody has taken anything yet.
            return TimeSpan.Zero;
        }

        var monotonic = time.GetElapsedTime(tick);
        var wall = TimeSpan.FromTicks(time.GetUtcNow().UtcTicks - Volatile.Read(ref _wallTick));
        return monotonic > wall ? monotonic : wall;
    }

    private async Task ConfirmAsync()
    {
        var failures = 0;
        while (!_stopping.IsCancellationRequested)
        {
            // Never on the thread of who asked.
            await Task.Delay(SettleTime, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
            var pause = _state;
            try
            {
                using CancellationTokenSource bound = new(ReadTimeout, time);
                var isMember = await membership.IsMemberAsync(bound.Token);
                if (!isMember)
                {
                    LogDead();
                    _state = pause with { Closed = "the cluster declared the silo dead" };
                    return;
                }
            }
            catch (Exception exception) when (!_stopping.IsCancellationRequested)
            {
                // Whatever it is, it is not known that the silo may go on.
                if (failures++ == 0)
                {
                    LogNotConfirmed(exception);
                }

                continue;
            }

            // The reading may have been answered before another pause.
            Look();
            lock (_lock)
            {
                if (ReferenceEquals(_state, pause))
                {
                    _state = pause with { Closed = null };
                    LogConfirmed();
                    return;
                }
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "The silo did not run for {Pause}. It publishes and delivers nothing until it has read that it is still part of its cluster.")]
    private partial void LogPaused(TimeSpan pause);

    [LoggerMessage(LogLevel.Information, "The silo is still part of its cluster and goes on. The commands that it took before are not sent.")]
    private partial void LogConfirmed();

    [LoggerMessage(LogLevel.Error, "The cluster declared this silo dead. It publishes and delivers nothing more.")]
    private partial void LogDead();

    [LoggerMessage(LogLevel.Warning, "Whether the silo is still part of its cluster could not be read. It is tried again each second.")]
    private partial void LogNotConfirmed(Exception exception);

    [LoggerMessage(LogLevel.Debug, "Whether the silo is still part of its cluster could not be read after the MQTT session was taken over.")]
    private partial void LogNotKnown(Exception exception);

    /// <param name="Closed">Why it is closed, or <see langword="null"/> when it is open.</param>
    /// <param name="PausedUntil">When the end of the last pause was noticed (a time stamp).</param>
    /// <param name="Reason">What the last pause was, for those who began before its end.</param>
    private sealed record State(string? Closed, long PausedUntil, string Reason);
}
