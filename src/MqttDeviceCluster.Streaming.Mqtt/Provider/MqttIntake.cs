using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.Providers.Streams.Common;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// One receiving connection and the queues that share it: routes and decodes what arrives, and hands it to the queue of its stream. The connection is
/// up from when its first queue comes to this silo until the first one leaves: they move together.
/// </summary>
internal sealed partial class MqttIntake : IMqttIntake, IMqttDeliverySink
{
    private static readonly TimeSpan HandOverDrain = TimeSpan.FromSeconds(1);

    /// <summary>A silo that is paused again and again does not keep poison alive for ever.</summary>
    private static readonly TimeSpan MaxHoldForPauses = TimeSpan.FromMinutes(5);

    private readonly int _connection;
    private readonly MqttIncomingRoute[] _routes;
    private readonly IMqttConnectionFactory _connections;
    private readonly MqttDeadLetters _deadLetters;
    private readonly MqttStreamMetrics _metrics;
    private readonly IMqttDeliveryGate? _gate;
    private readonly IMqttFence? _fence;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly AtMostOnceLimit _atMostOnce;
    private readonly Lock _lock = new();
    private int _generation;
    private bool _stopped;
    private IMqttSession? _session;
    private Task _lastStop = Task.CompletedTask;
    private readonly TimeSpan _holdAfter;
    private ITimer? _gateTimer;
    private long _sequence;
    private Held? _held;
    private long _firstEpochOfSession;
    private long _firstLiveEpoch;
    private long _lastFencedEpoch;

    public MqttIntake(
        int connection,
        MqttStreamOptions options,
        MqttIncomingRoute[] routes,
        IMqttConnectionFactory connections,
        MqttDeadLetters deadLetters,
        MqttStreamMetrics metrics,
        IMqttDeliveryGate? gate,
        IMqttFence? fence,
        TimeProvider timeProvider,
        ILogger logger)
    {
        _connection = connection;
        Options = options;
        _routes = routes;
        _connections = connections;
        _deadLetters = deadLetters;
        _metrics = metrics;
        _gate = gate;
        _fence = fence;
        _timeProvider = timeProvider;
        _logger = logger;
        _atMostOnce = new(options.MaxPendingAtMostOnce);
        _holdAfter = options.MaxAnswerTime;

        // Tokens grow across restarts and hand-overs as far as clocks agree; nothing but log readers relies on it.
        _sequence = timeProvider.GetUtcNow().UtcTicks;
        Queues = new MqttStreamQueue[options.QueuesPerConnection];
        for (var i = 0; i < Queues.Length; i++)
        {
            Queues[i] = new(message => message.HasEnded || IsObsolete(message));
        }
    }

    public MqttStreamOptions Options { get; }

    public TimeProvider TimeProvider => _timeProvider;

    public MqttStreamQueue[] Queues { get; }

    /// <summary>
    /// Gets for how long failures are held: while the gate says so, and for as long afterwards as a delivery may have begun before. Else a message that failed with
    /// the store would be given up for it in the moment in which the store is back.
    /// </summary>
    public TimeSpan HoldFailuresFor
    {
        get
        {
            LookAtGate();
            return Volatile.Read(ref _held) is { } held && _timeProvider.GetElapsedTime(held.At) < _holdAfter ? held.For : TimeSpan.Zero;
        }
    }

    public IMqttSession? Session => Volatile.Read(ref _session);

    /// <summary>A queue came to this silo. The first brings the connection up, in the background.</summary>
    /// <returns>What to give to <see cref="DetachAsync"/>.</returns>
    public int Attach()
    {
        lock (_lock)
        {
            if (_session is not null || _stopped)
            {
                return _generation;
            }

            _generation++;

            if (_gate is not null)
            {
                // Often enough: what makes a message fail for the whole delivery time must be seen meanwhile.
                var period = TimeSpan.FromMilliseconds(Math.Min(250, Options.MaxDeliveryTime.TotalMilliseconds / 4));
                _gateTimer?.Dispose();
                _gateTimer = _timeProvider.CreateTimer(static intake => ((MqttIntake)intake!).LookAtGate(), this, period, period);
            }

            var session = _connections.CreateSession(_connection, [.. _routes.Select(Subscribe)], this);
            _session = session;

            // The queues may come back while the old connection still says goodbye: two with one client id would throw each other out.
            var lastStop = _lastStop;
            if (lastStop.IsCompleted)
            {
                session.Start();
            }
            else
            {
                _ = StartAfterAsync(lastStop, session);
            }

            return _generation;
        }
    }

    /// <summary>
    /// A queue left this silo. The first takes the connection down and forgets what was not delivered: the broker keeps it for the next owner. Waiting for the last
    /// would mean to fight with that owner over the session for as long as some grain hangs, which its agent waits for.
    /// </summary>
    /// <param name="generation">What <see cref="Attach"/> returned: an agent that let go late must not take down what has come up since.</param>
    /// <param name="cancellationToken">Ends the wait; the stop itself goes on.</param>
    public async Task DetachAsync(int generation, CancellationToken cancellationToken)
    {
        Task stop;
        lock (_lock)
        {
            if (generation == _generation && _session is { } session)
            {
                _session = null;
                _gateTimer?.Dispose();

                // After those before it as well: queues may leave, come and leave faster than a connection is closed.
                _lastStop = Task.WhenAll(_lastStop, StopAndForgetAsync(session));
            }

            stop = _lastStop;
        }

        await stop.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// The silo stops: receive no more, but let the agents finish what they have, and acknowledge it. Called before the agents stop.
    /// </summary>
    public async Task StopAsync(TimeSpan drain, CancellationToken cancellationToken)
    {
        IMqttSession? session;
        lock (_lock)
        {
            _stopped = true;
            session = _session;
        }

        if (session is not null)
        {
            await session.StopAsync(drain, cancellationToken);
        }
    }

    public void OnConnected(long epoch, bool sessionPresent)
    {
        if (sessionPresent)
        {
            Volatile.Write(ref _firstLiveEpoch, epoch);
        }
        else
        {
            // What came before belongs to a session that is gone: no later connection brings it again.
            Volatile.Write(ref _firstEpochOfSession, epoch);
        }
    }

    public void OnFenced(long epoch) => Volatile.Write(ref _lastFencedEpoch, epoch);

    public void OnDelivery(MqttDelivery delivery)
    {
        var message = delivery.Message;
        var route = Route(message);
        if (route is null)
        {
            Refuse(delivery, MqttRefusal.NoRoute, "no route matches the topic");
            return;
        }

        if (message.Payload.Length > Options.MaxPayloadBytes)
        {
            Refuse(delivery, MqttRefusal.PayloadTooLarge, $"more than {Options.MaxPayloadBytes} bytes");
            return;
        }

        object? value;
        string? refusal, detail;
        int parts;
        try
        {
            value = route.Decode(message, out refusal, out detail, out parts);
        }
        catch (Exception exception)
        {
            // A decoder is the host's code and its input a stranger's: neither may take the connection down. It is counted and logged as a refusal.
            LogDecoderFailed(exception, route.TopicTemplate);
            Refuse(delivery, MqttRefusal.DecoderError, exception.GetType().Name);
            return;
        }

        if (refusal is not null)
        {
            _deadLetters.ReportRefusal(message, refusal, detail ?? "", parts);
            if (value is null)
            {
                _deadLetters.Bury(delivery, refusal);
                return;
            }
        }

        if (value is null)
        {
            Refuse(delivery, MqttRefusal.DecoderError, "the decoder returned nothing");
            return;
        }

        if (value == MqttIncomingRoute.Ignored)
        {
            delivery.Complete();
            return;
        }

        var item = new MqttStreamMessage(
            StreamId.Create(route.StreamNamespace, message.Key), new EventSequenceTokenV2(Interlocked.Increment(ref _sequence)), value)
        {
            Delivery = delivery,
        };
        if (message.QualityOfService == MqttQualityOfService.AtMostOnce && _atMostOnce.Add(item))
        {
            _metrics.MessageDropped();
            LogDropped(Options.MaxPendingAtMostOnce);
        }

        Queues[MqttQueueMapper.QueueOf(message.Key, Queues.Length)].Enqueue(item);
    }

    public bool IsObsolete(MqttStreamMessage message)
    {
        if (message.Delivery is not { } delivery)
        {
            return false;
        }

        return delivery.Epoch <= Volatile.Read(ref _lastFencedEpoch)
            || _fence?.WhyClosed(_timeProvider.GetTimestamp()) is not null
            || (delivery.Epoch < Volatile.Read(ref _firstLiveEpoch)
                && delivery.Epoch >= Volatile.Read(ref _firstEpochOfSession)
                && delivery.Message.QualityOfService == MqttQualityOfService.AtLeastOnce);
    }

    public void Finish(MqttStreamMessage message)
    {
        if (message.Delivery is not { } delivery || !End(message, delivery))
        {
            return;
        }

        if (IsObsolete(message))
        {
            // It may have been passed over, and its connection may live on for a moment. Done or not, the broker sends it again.
            return;
        }

        delivery.Complete();
        if (_metrics.MeasuresDelivery)
        {
            _metrics.MessageDelivered(_timeProvider.GetUtcNow() - delivery.Message.ReceivedAt);
        }
    }

    public void DeadLetter(MqttStreamMessage message, string reason)
    {
        if (message.Delivery is { } delivery && !IsObsolete(message) && End(message, delivery))
        {
            _deadLetters.ReportFailure(delivery.Message, reason);
            _deadLetters.Bury(delivery, reason);
        }
    }

    private void LookAtGate()
    {
        var hold = _gate?.HoldFailuresFor ?? TimeSpan.Zero;
        if (hold < MaxHoldForPauses && _fence?.WhyClosed(_timeProvider.GetTimestamp()) is not null)
        {
            // A pause fails deliveries as well, and is no fault of theirs.
            hold = MaxHoldForPauses;
        }

        // What failed with the store is not judged by the shorter measure of a loss that comes right after.
        if (hold > TimeSpan.Zero && (Volatile.Read(ref _held) is not { } held || held.For <= hold || _timeProvider.GetElapsedTime(held.At) >= _holdAfter))
        {
            Volatile.Write(ref _held, new(_timeProvider.GetTimestamp(), hold));
        }
    }

    private bool End(MqttStreamMessage message, MqttDelivery delivery)
    {
        if (!message.TryEnd())
        {
            return false;
        }

        if (delivery.Message.QualityOfService == MqttQualityOfService.AtMostOnce)
        {
            _atMostOnce.Release();
        }

        return true;
    }

    private MqttIncomingRoute? Route(MqttIncomingMessage message)
    {
        foreach (var route in _routes)
        {
            if (route.Template.Match(message.Topic) is { } key)
            {
                message.Key = key;
                return route;
            }
        }

        return null;
    }

    private MqttFilter Subscribe(MqttIncomingRoute route) =>
        new(Options.SharedGroup is { } group ? $"$share/{group}/{route.Template.Filter}" : route.Template.Filter, route.QualityOfService);

    private void Refuse(MqttDelivery delivery, string reason, string detail)
    {
        _deadLetters.ReportRefusal(delivery.Message, reason, detail, 1);
        _deadLetters.Bury(delivery, reason);
    }

    private async Task StartAfterAsync(Task lastStop, IMqttSession session)
    {
        await lastStop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (_session == session && !_stopped)
            {
                session.Start();
            }
        }
    }

    private async Task StopAndForgetAsync(IMqttSession session)
    {
        try
        {
            await session.StopAsync(HandOverDrain, CancellationToken.None);
        }
        finally
        {
            foreach (var queue in Queues)
            {
                queue.Clear();
            }

            // The next session object counts its connections from one again.
            Volatile.Write(ref _firstEpochOfSession, 0);
            Volatile.Write(ref _firstLiveEpoch, 0);
            Volatile.Write(ref _lastFencedEpoch, 0);
        }
    }

    [LoggerMessage(LogLevel.Debug, "The decoder of route '{Route}' failed.")]
    private partial void LogDecoderFailed(Exception exception, string route);

    [LoggerMessage(LogLevel.Debug, "Dropped a QoS 0 message: {Limit} are waiting already.")]
    private partial void LogDropped(int limit);

    /// <param name="At">When failures were last seen to be held.</param>
    /// <param name="For">For how long a consumer's are.</param>
    private sealed record Held(long At, TimeSpan For);
}
