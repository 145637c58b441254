using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>
/// Receives: a persistent session under a fixed client id, connected again and again, with its subscriptions. What it receives goes to the
/// sink; a message is acknowledged to the broker after <see cref="MqttDelivery.Complete"/>.
/// </summary>
internal sealed partial class MqttSession : MqttConnectionLoop, IMqttSession, IMqttLinkReceiver, IAcknowledgementTarget
{
    private const byte RefusedSharedSubscription = 0x9E;

    // mosquitto sends one more than it may.
    private const int Tolerance = 16;

    // Up to so many messages are acknowledged by whoever finishes them.
    private const int InlineLimit = 2;

    private readonly MqttStreamOptions _options;
    private readonly IReadOnlyList<MqttFilter> _filters;
    private readonly IMqttDeliverySink _sink;
    private readonly ILogger _logger;
    private readonly IMqttFence? _fence;
    private volatile AckLedger? _ledger;
    private MqttLink? _link;
    private CancellationTokenRegistration _closing;
    private long _epoch;
    private long _reportedEpoch;

    /// <param name="options">The provider's options.</param>
    /// <param name="clientId">The client id of the session, the same on every silo.</param>
    /// <param name="filters">What to subscribe to.</param>
    /// <param name="sink">Takes what is received.</param>
    /// <param name="metrics">The provider's instruments.</param>
    /// <param name="logger">The log.</param>
    /// <param name="timeProvider">The time.</param>
    /// <param name="tuning">Times that tests change.</param>
    /// <param name="fence">The host's fence, if it has one.</param>
    /// <exception cref="FormatException">The connection string is missing or not valid.</exception>
    public MqttSession(
        MqttStreamOptions options,
        string clientId,
        IReadOnlyList<MqttFilter> filters,
        IMqttDeliverySink sink,
        MqttStreamMetrics metrics,
        ILogger logger,
        TimeProvider timeProvider,
        MqttReconnectTuning? tuning = null,
        IMqttFence? fence = null)
        : base(options, clientId, "receive", metrics, logger, timeProvider, tuning)
    {
        _options = options;
        _filters = filters;
        _sink = sink;
        _logger = logger;
        _fence = fence;
    }

    /// <summary>Gets how many QoS 1 messages of the present connection are not acknowledged yet.</summary>
    public override int Unacknowledged => _ledger?.Unacknowledged ?? 0;

    public override int ReceiveWindow => _options.ReceiveMaximum;

    void IMqttLinkReceiver.OnPublish(MqttIncomingMessage message, ushort packetId)
    {
        // Once stopping, what still comes stays with the broker.
        if (Stopping.IsCancellationRequested)
        {
            return;
        }

        if (WhyClosed() is { } reason)
        {
            // It came from our system's buffer, and perhaps somebody else's session has it by now. Whoever it is, the broker sends it again.
            GiveUp(_link!, _epoch, reason);
            return;
        }

        Metrics.MessageReceived((int)message.QualityOfService);
        MqttDelivery? delivery;
        if (packetId == 0)
        {
            delivery = new UnacknowledgedDelivery(message, _epoch);
        }
        else if (!_ledger!.TryAdd(message, packetId, out delivery))
        {
            return;
        }

        _sink.OnDelivery(delivery);
    }

    // A broker that keeps to the Receive Maximum is never made to wait, so that its PINGRESP and DISCONNECT are read whatever grains do. One that does not is held off by TCP:
    // what we hold is bounded in any case.
    Task? IMqttLinkReceiver.Pause()
    {
        if (_ledger?.WhenAtMost(_options.ReceiveMaximum + Tolerance) is not { } pause)
        {
            return null;
        }

        Metrics.ReceivePaused();
        if (_reportedEpoch != _epoch)
        {
            _reportedEpoch = _epoch;
            LogPaused(_options.ReceiveMaximum);
        }

        return pause;
    }

    void IMqttLinkReceiver.OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
    {
        // This connection publishes nothing.
    }

    void IAcknowledgementTarget.Acknowledge(IReadOnlyList<ushort> packetIds)
    {
        var link = _link!;
        for (var i = 0; i < packetIds.Count; i++)
        {
            link.Acknowledge(packetIds[i]);
        }

        // Not on the thread of whoever finished, unless it is alone: others finish meanwhile, and their PUBACKs share the write.
        link.Kick(inline: _ledger!.Unacknowledged <= InlineLimit);
        Metrics.MessagesAcknowledged(packetIds.Count);
    }

    // While the fence is closed, connecting would take the session from whoever has it by right.
    protected override MqttLinkSettings CreateSettings(MqttLinkSettings common) => WhyClosed() is { } reason
        ? throw new MqttConnectException(MqttConnectFailure.Fenced, reason)
        : common with
        {
            CleanStart = false,
            SessionExpiry = _options.SessionExpiry,
            ReceiveMaximum = _options.ReceiveMaximum,
        };

    protected override Task<string?> WhyNotTakeBackAsync(CancellationToken cancellationToken) =>
        _fence?.WhyNotTakeBackAsync(cancellationToken) ?? base.WhyNotTakeBackAsync(cancellationToken);

    protected override async Task ServeAsync(MqttLink link)
    {
        var epoch = ++_epoch;
        if (!link.Info.SessionPresent && epoch > 1)
        {
            Metrics.SessionLost();
            LogSessionLost(ClientId);
        }

        if (link.Info.SessionExpiry is { } expiry && expiry < _options.SessionExpiry)
        {
            LogShorterExpiry(expiry, _options.SessionExpiry);
        }

        _link = link;
        _closing = _fence?.Closing.UnsafeRegister(_ => GiveUp(link, epoch, WhyClosed() ?? "the process was paused"), null) ?? default;
        _ledger = new AckLedger(epoch, this, _options.AcknowledgeOutOfOrderAfter, TimeProvider);
        _sink.OnConnected(epoch, link.Info.SessionPresent);

        // Before the subscription: messages of a kept session come right after CONNACK.
        link.Start(this);
        await SubscribeAsync(link).ConfigureAwait(false);
    }

    protected override void OnEnded(MqttLinkEnd end)
    {
        _closing.Dispose();
        _ledger?.Dispose();
    }

    protected override Task DrainAsync() => _ledger?.DrainAsync() ?? Task.CompletedTask;

    protected override void OnStopped()
    {
        // The broker keeps what there is.
    }

    protected override bool IsTakenOver(MqttLinkEnd end, bool repeatedlyShort)
    {
        if (!end.IsTakenOver && !repeatedlyShort)
        {
            return false;
        }

        Metrics.SessionTakenOver();
        LogTakenOver(ClientId, end.IsTakenOver ? "the broker says so" : "its connections end at once without a reason");
        SetState(MqttConnectionState.Fenced, $"Another client took over the session '{ClientId}' at {Broker}.");
        _sink.OnFenced(_epoch);
        return true;
    }

    private string? WhyClosed() => _fence?.WhyClosed(TimeProvider.GetTimestamp());

    // Forgets what was received and not delivered, before the connection ends: what has no place to be acknowledged at any more comes again.
    private void GiveUp(MqttLink link, long epoch, string reason)
    {
        if (epoch == _epoch)
        {
            // First of all: nothing of it is acknowledged any more.
            _ledger?.Dispose();
        }

        _sink.OnFenced(epoch);
        link.Abort(MqttLinkEndCause.Fenced, reason);
    }

    private async Task SubscribeAsync(MqttLink link)
    {
        IReadOnlyList<MqttFilter> open = _filters;
        while (!link.HasEnded)
        {
            List<MqttFilter> refused = [];
            try
            {
                var asked = open.Where(filter => link.Info.SharedSubscriptionAvailable || !IsShared(filter)).ToList();
                var codes = asked.Count == 0 ? [] : await link.SubscribeAsync(asked, _options.ConnectTimeout).ConfigureAwait(false);
                if (codes.Count != asked.Count)
                {
                    link.Abort(MqttLinkEndCause.ProtocolError, "the broker answered a subscription with another number of reasons");
                    return;
                }

                byte code = RefusedSharedSubscription;
                refused.AddRange(open.Except(asked));
                for (var i = 0; i < asked.Count; i++)
                {
                    if (codes[i] >= 0x80)
                    {
                        refused.Add(asked[i]);
                        code = codes[i];
                    }
                    else if (codes[i] < (int)asked[i].QualityOfService)
                    {
                        LogLowerQuality(asked[i].Filter, codes[i]);
                    }
                }

                if (refused.Count == 0)
                {
                    SetOnline();
                    return;
                }

                var problem = $"{Broker} refuses the subscription to '{refused[0].Filter}' (0x{code:X2}).";
                if (Problem != problem)
                {
                    LogRefusedSubscription(refused[0].Filter, code, refused.Count);
                }

                SetState(MqttConnectionState.Connecting, problem);
            }
            catch (MqttConnectException exception)
            {
                link.Abort(MqttLinkEndCause.Silent, exception.Message);
                return;
            }

            open = refused;
            var pause = _options.MaxReconnectDelay * (0.5 + (Random.Shared.NextDouble() / 2));
            await Task.WhenAny(link.Completion, Task.Delay(pause, TimeProvider, Stopping)).ConfigureAwait(false);
            if (Stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private static bool IsShared(MqttFilter filter) => filter.Filter.StartsWith("$share/", StringComparison.Ordinal);

    [LoggerMessage(LogLevel.Error, "The broker lost the session '{ClientId}': messages that were queued there are gone.")]
    private partial void LogSessionLost(string clientId);

    [LoggerMessage(LogLevel.Information, "The broker sends more than the {Limit} unacknowledged messages that it was allowed: it is read no further until there are fewer.")]
    private partial void LogPaused(int limit);

    [LoggerMessage(LogLevel.Warning, "The broker keeps the session for {Granted} only, not for {Asked}.")]
    private partial void LogShorterExpiry(TimeSpan granted, TimeSpan asked);

    [LoggerMessage(LogLevel.Warning, "Another client took over the session '{ClientId}': {Evidence}.")]
    private partial void LogTakenOver(string clientId, string evidence);

    [LoggerMessage(LogLevel.Warning, "The broker delivers '{Filter}' with QoS {Granted} at most: such messages are not redelivered.")]
    private partial void LogLowerQuality(string filter, byte granted);

    [LoggerMessage(LogLevel.Error, "The broker refuses the subscription to '{Filter}' (0x{Code:X2}), {Count} in all. It is tried again.")]
    private partial void LogRefusedSubscription(string filter, byte code, int count);

    private sealed class UnacknowledgedDelivery(MqttIncomingMessage message, long epoch) : MqttDelivery(message, epoch)
    {
        public override void Complete()
        {
            // QoS 0: the broker does not wait for it.
        }
    }
}
