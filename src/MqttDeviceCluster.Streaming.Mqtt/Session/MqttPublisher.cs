using System.Globalization;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>
/// Publishes, in order, over a connection of its own. A message is written at most once: if the connection ends before the broker answered, the
/// result is unknown and nothing is sent again, because a relay must not act twice. Into the silence of a broker nothing is written: it would act when
/// the broker wakes up, and its callers have long given up.
/// </summary>
/// <remarks>
/// Nothing can call back what was written. A message that expires or is withdrawn between the last look at it (<see cref="TryTake"/>) and the system call some
/// microseconds later is sent.
/// </remarks>
internal sealed partial class MqttPublisher : MqttConnectionLoop, IMqttPublisher
{
    // With up to this many under way, the caller writes himself; with more, another thread writes what has gathered.
    private const int InlineLimit = 2;
    private static readonly TimeSpan SweepPeriod = TimeSpan.FromMilliseconds(50);

    // A message that never expires is not waited for any longer than this.
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromMinutes(1);

    private readonly MqttStreamOptions _options;
    private readonly ILogger _logger;
    private readonly IMqttFence? _fence;
    private readonly Lock _lock = new();
    private readonly Queue<PendingPublish> _pending = new();
    private readonly ITimer _sweep;
    private MqttPublishWindow? _window;
    private MqttLink? _link;
    private MqttStallGuard? _guard;
    private TaskCompletionSource? _drained;
    private TaskCompletionSource? _settled;
    private long _offlineSince;
    private bool _sweeping;
    private bool _stalled;
    private bool _closed;

    /// <param name="options">The provider's options.</param>
    /// <param name="clientId">The provider's client id; the connection's own is made of it.</param>
    /// <param name="metrics">The provider's instruments.</param>
    /// <param name="logger">The log.</param>
    /// <param name="timeProvider">The time.</param>
    /// <param name="tuning">Times that tests change.</param>
    /// <param name="fence">The host's fence, if it has one.</param>
    /// <param name="role">What the connection is for, in the log and the metrics.</param>
    /// <exception cref="FormatException">The connection string is missing or not valid.</exception>
    public MqttPublisher(
        MqttStreamOptions options, string clientId, MqttStreamMetrics metrics, ILogger logger, TimeProvider timeProvider,
        MqttReconnectTuning? tuning = null, IMqttFence? fence = null, string role = "publish")
        : base(options, $"{clientId}-pub-{Guid.NewGuid():N}"[..(clientId.Length + 13)], role, metrics, logger, timeProvider, tuning)
    {
        _options = options;
        _logger = logger;
        _fence = fence;
        _offlineSince = timeProvider.GetTimestamp();
        _sweep = timeProvider.CreateTimer(
            static publisher => ((MqttPublisher)publisher!).Sweep(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public override bool Publishes => true;

    public override int PendingPublishes
    {
        get
        {
            lock (_lock)
            {
                return _pending.Count + (_window?.InFlight ?? 0);
            }
        }
    }

    protected override bool IsStalled
    {
        get
        {
            lock (_lock)
            {
                return _stalled;
            }
        }
    }

    /// <summary>
    /// Publishes a message. The task never fails and always ends: at the latest when the message expires, or after a minute if it never does.
    /// </summary>
    /// <param name="topic">The topic, without wildcards.</param>
    /// <param name="message">The message. Its payload must stay unchanged until the task ends.</param>
    public Task<MqttPublishResult> PublishAsync(string topic, MqttOutgoingMessage message)
    {
        PendingPublish publish = new(topic, message, TimeProvider, Metrics);
        if (PublishCheck.Find(topic, message) is { } problem)
        {
            publish.Finish(MqttPublishOutcome.NotSent, problem);
            return publish.Task;
        }

        MqttLink? link;
        bool inline;
        lock (_lock)
        {
            link = _link;
            if (_closed)
            {
                publish.Finish(MqttPublishOutcome.NotSent, "the publisher was stopped");
                return publish.Task;
            }

            if (_pending.Count >= _options.MaxPendingPublishes)
            {
                publish.Finish(MqttPublishOutcome.NotSent, $"{_options.MaxPendingPublishes} messages are waiting already");
                return publish.Task;
            }

            if (_options.PublishConnectWait <= TimeSpan.Zero && WhyNotNow() is { } reason)
            {
                publish.Finish(MqttPublishOutcome.NotSent, reason);
                return publish.Task;
            }

            _pending.Enqueue(publish);
            inline = _pending.Count == 1 && _window is { InFlight: < InlineLimit };
            if (!_sweeping)
            {
                _sweeping = true;
                _sweep.Change(SweepPeriod, SweepPeriod);
            }
        }

        link?.Kick(inline);
        return publish.Task;
    }

    protected override MqttLinkSettings CreateSettings(MqttLinkSettings common) => common with { CleanStart = true, SessionExpiry = TimeSpan.Zero };

    protected override Task ServeAsync(MqttLink link)
    {
        MqttPublishWindow window = new(link.Info, _options.PublishWindow);
        LinkSide side = new(this, window);
        link.Start(side, side);
        lock (_lock)
        {
            _window = window;
            _link = link;
            _guard = new MqttStallGuard(link, window, _options.PublishStallTime, TimeProvider);
            _stalled = false;
        }

        SetOnline();
        link.Kick(inline: false);
        return Task.CompletedTask;
    }

    protected override void OnEnded(MqttLinkEnd end)
    {
        lock (_lock)
        {
            _window?.ForEach(publish => publish.Finish(MqttPublishOutcome.Unknown, $"the connection ended before the broker answered: {end.Reason}"));

            // After a silence it has been as good as offline all the time: who waited in it has waited.
            _offlineSince = _stalled && _link is { } silent ? silent.LastReceived : TimeProvider.GetTimestamp();
            _window = null;
            _link = null;
            _guard = null;
            _stalled = false;
            CheckDrained();
        }
    }

    protected override void OnStopping()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    protected override Task DrainAsync()
    {
        lock (_lock)
        {
            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            CheckDrained();
            return _drained.Task;
        }
    }

    protected override Task SettleAsync()
    {
        lock (_lock)
        {
            if (_window is null or { IsEmpty: true })
            {
                return Task.CompletedTask;
            }

            _settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _settled.Task;
        }
    }

    protected override void OnStopped()
    {
        lock (_lock)
        {
            _closed = true;
            while (_pending.TryDequeue(out var publish))
            {
                publish.Finish(MqttPublishOutcome.NotSent, "the publisher was stopped");
            }

            // A connection that could not be closed in time still has them.
            _window?.ForEach(publish => publish.Finish(MqttPublishOutcome.Unknown, "the publisher was stopped before the broker answered"));
        }

        _sweep.Dispose();
    }

    private bool TryTake(MqttPublishWindow window, out MqttLinkPublish packet)
    {
        lock (_lock)
        {
            while (window == _window && _pending.TryPeek(out var publish))
            {
                if (!publish.IsDone)
                {
                    if (_guard!.IsStalled)
                    {
                        break;
                    }

                    if (publish.Message.QualityOfService == MqttQualityOfService.AtLeastOnce && !window.HasRoom)
                    {
                        break;
                    }

                    var now = TimeProvider.GetUtcNow();
                    packet = publish.ToPacket(ushort.MaxValue, now);
                    if (_fence?.WhyClosed(publish.EnqueuedAt) is { } closed)
                    {
                        publish.Finish(MqttPublishOutcome.Fenced, closed);
                    }
                    else if (WhyNot(publish, now) is { } reason)
                    {
                        publish.Finish(MqttPublishOutcome.NotSent, reason);
                    }
                    else if (PublishCheck.Find(packet, window.Info) is { } refusal)
                    {
                        publish.Finish(refusal.Outcome, refusal.Reason, refusal.ReasonCode);
                    }
                    else
                    {
                        _pending.Dequeue();
                        _guard.OnWriting(publish.Message);
                        publish.Message.Sending?.Invoke();
                        window.TryEnter(publish, out var packetId);
                        packet = packet with { PacketId = packetId };
                        return true;
                    }
                }

                _pending.Dequeue();
                CheckDrained();
            }
        }

        packet = default;
        return false;
    }

    private void OnAnswered(MqttPublishWindow window, ushort packetId, byte code, string? text)
    {
        PendingPublish? publish;
        MqttLink? link;
        bool more;
        lock (_lock)
        {
            if (window != _window)
            {
                return;
            }

            publish = window.Leave(packetId);
            more = _pending.Count > 0;
            link = _link;
            CheckDrained();
        }

        if (publish is not null)
        {
            var answer = PublishAnswer.Read(code, text);
            publish.Finish(answer.Outcome, answer.Reason, code);
        }

        if (more)
        {
            link?.Kick(inline: false);
        }
    }

    private void OnWritten(MqttPublishWindow window)
    {
        lock (_lock)
        {
            window.LeaveWritten()?.Finish(MqttPublishOutcome.Accepted, "written");
            CheckDrained();
        }
    }

    // Ends what waited too long, and watches whether the broker is silent. Only runs while something is under way.
    private void Sweep()
    {
        MqttLink? link;
        TimeSpan silence;
        bool isHeardAgain, isGivenUp;
        lock (_lock)
        {
            link = _link;
            silence = _guard?.Silence ?? TimeSpan.Zero;
            isHeardAgain = NoteStall(silence);
            _guard?.Probe();

            var now = TimeProvider.GetUtcNow();
            SweepWaiting(now);
            isGivenUp = SweepWritten(now) && _stalled;
            CheckDrained();
            if (_pending.Count == 0 && _window is null or { IsEmpty: true } && _guard is not { IsOwed: true })
            {
                _sweeping = false;
                _sweep.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }

        if (isGivenUp)
        {
            // What still lies in our system's buffer goes with the connection. The broker may have the rest already.
            link?.Abort(MqttLinkEndCause.Silent, Silent(silence));
        }
        else if (isHeardAgain)
        {
            link?.Kick(inline: false);
        }
    }

    // Returns whether the broker was silent and is so no more.
    private bool NoteStall(TimeSpan silence)
    {
        var was = _stalled;
        _stalled = silence >= _options.PublishStallTime;
        if (_stalled && !was)
        {
            LogStalled(Broker, silence.TotalSeconds);
        }
        else if (was && !_stalled)
        {
            LogHeardAgain(Broker);
        }

        return was && !_stalled;
    }

    private void SweepWaiting(DateTimeOffset now)
    {
        var blocked = WhyNotNow();
        for (var i = _pending.Count; i > 0; i--)
        {
            var publish = _pending.Dequeue();
            if (_fence?.WhyClosed(publish.EnqueuedAt) is { } closed)
            {
                publish.Finish(MqttPublishOutcome.Fenced, closed);
            }
            else if (WhyNot(publish, now) is { } reason)
            {
                publish.Finish(MqttPublishOutcome.NotSent, reason);
            }
            else if (blocked is not null && TimeProvider.GetElapsedTime(publish.EnqueuedAt) >= _options.PublishConnectWait)
            {
                publish.Finish(MqttPublishOutcome.NotSent, blocked);
            }
            else if (publish.Message.ExpiresAt is null && TimeProvider.GetElapsedTime(publish.EnqueuedAt) >= AnswerTimeout)
            {
                publish.Finish(MqttPublishOutcome.NotSent, "the broker does not answer the messages before it");
            }

            if (!publish.IsDone)
            {
                _pending.Enqueue(publish);
            }
        }
    }

    // Returns whether nobody wants one of them any more.
    private bool SweepWritten(DateTimeOffset now)
    {
        var isGivenUp = _guard?.UnheardExpiry <= now;
        _window?.ForEach(publish =>
        {
            if (publish.Message.ExpiresAt is { } expiresAt ? expiresAt <= now : TimeProvider.GetElapsedTime(publish.EnqueuedAt) >= AnswerTimeout)
            {
                publish.Finish(MqttPublishOutcome.Unknown, "the broker did not answer in time");
                isGivenUp = true;
            }

            isGivenUp |= publish.Message.Withdrawn.IsCancellationRequested;
        });
        return isGivenUp;
    }

    // Why nothing can be written at the moment, for as long as it lasts.
    private string? WhyNotNow() =>
        _guard is null
            ? TimeProvider.GetElapsedTime(_offlineSince) >= _options.PublishConnectWait ? "there is no connection to the broker" : null
            : _guard.IsStalled ? Silent(_guard.Silence) : null;

    private static string Silent(TimeSpan silence) =>
        string.Create(CultureInfo.InvariantCulture, $"the broker has not answered for {silence.TotalSeconds:0.#} s");

    private void CheckDrained()
    {
        if (_window is null or { IsEmpty: true })
        {
            _settled?.TrySetResult();
            if (_pending.Count == 0)
            {
                _drained?.TrySetResult();
            }
        }
    }

    private static string? WhyNot(PendingPublish publish, DateTimeOffset now) =>
        publish.Message.Withdrawn.IsCancellationRequested ? "it was withdrawn"
        : publish.Message.ExpiresAt <= now ? "it expired before it could be sent"
        : null;

    [LoggerMessage(LogLevel.Warning, "The broker {Broker} has not answered for {Seconds:0.0} s: nothing more is published on this connection until it does.")]
    private partial void LogStalled(MqttConnectionString broker, double seconds);

    [LoggerMessage(LogLevel.Information, "The broker {Broker} answers again.")]
    private partial void LogHeardAgain(MqttConnectionString broker);

    /// <summary>What one connection sees of the publisher.</summary>
    private sealed class LinkSide(MqttPublisher publisher, MqttPublishWindow window) : IMqttLinkReceiver, IMqttPublishSource
    {
        public void OnPublish(MqttIncomingMessage message, ushort packetId)
        {
            // A clean session without subscriptions receives nothing; a message for it is nobody's.
        }

        public void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason) =>
            publisher.OnAnswered(window, packetId, reasonCode, reason);

        public bool TryTake(out MqttLinkPublish publish) => publisher.TryTake(window, out publish);

        public void OnWritten() => publisher.OnWritten(window);
    }
}
