using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>The instruments of one MQTT stream provider. Topics, keys and client ids are never tags.</summary>
public sealed class MqttStreamMetrics
{
    /// <summary>The name to pass to <c>AddMeter</c>.</summary>
    public const string MeterName = "MqttDeviceCluster.Streaming.Mqtt";

    /// <summary>Messages received, by <c>mqtt.qos</c>.</summary>
    public const string Received = "mqtt.stream.messages.received";

    /// <summary>Messages acknowledged (QoS 1).</summary>
    public const string Acknowledged = "mqtt.stream.messages.acknowledged";

    /// <summary>Messages that were received and are not acknowledged yet.</summary>
    public const string Unacknowledged = "mqtt.stream.messages.unacknowledged";

    /// <summary>Messages that may be unacknowledged at a time, over the connections held here (their Receive Maximum).</summary>
    public const string ReceiveWindow = "mqtt.stream.receive.window";

    /// <summary>Messages published, by <c>mqtt.outcome</c> (see <see cref="MqttPublishOutcome"/>; <c>accepted</c>, <c>not_sent</c>, …).</summary>
    public const string Published = "mqtt.stream.messages.published";

    /// <summary>Seconds from the call that publishes until the broker's answer (QoS 1), or until it is written (QoS 0). What was not answered is not in it.</summary>
    public const string PublishDuration = "mqtt.stream.publish.duration";

    /// <summary>Messages that wait to be sent or to be answered, by <c>mqtt.role</c>.</summary>
    public const string PublishPending = "mqtt.stream.publish.pending";

    /// <summary>
    /// Connections held here, by <c>mqtt.role</c> (<c>receive</c>, <c>publish</c>, <c>dead_letters</c>) and <c>mqtt.state</c> (<c>connecting</c>, <c>online</c>, <c>stalled</c>:
    /// the broker does not answer, <c>fenced</c>: another silo has the session). Every state is told, also with 0.
    /// </summary>
    public const string Connections = "mqtt.stream.connections";

    /// <summary>Connections that ended or failed and are tried again, by <c>mqtt.role</c> and <c>mqtt.reason</c>.</summary>
    public const string Reconnects = "mqtt.stream.reconnects";

    /// <summary>Sessions that the broker lost: messages queued there are gone.</summary>
    public const string SessionsLost = "mqtt.stream.sessions.lost";

    /// <summary>Sessions that another silo took over.</summary>
    public const string SessionsTakenOver = "mqtt.stream.sessions.taken_over";

    /// <summary>Received messages, or parts of them, that could not be read, by <c>mqtt.reason</c>.</summary>
    public const string Refused = "mqtt.stream.messages.refused";

    /// <summary>Received messages that were given up because their consumer failed, by <c>mqtt.reason</c>.</summary>
    public const string DeadLettered = "mqtt.stream.messages.dead_lettered";

    /// <summary>QoS 0 messages that were dropped because too many waited for their consumers.</summary>
    public const string Dropped = "mqtt.stream.messages.dropped";

    /// <summary>Refused and given up messages that are at the dead-letter topic.</summary>
    public const string DeadLettersPublished = "mqtt.stream.dead_letters.published";

    /// <summary>Refused and given up messages that could not be published to the dead-letter topic: nobody has them.</summary>
    public const string DeadLettersLost = "mqtt.stream.dead_letters.lost";

    /// <summary>How often reading stopped because the broker had sent more than it was allowed.</summary>
    public const string ReceivePauses = "mqtt.stream.receive.pauses";

    /// <summary>Seconds from reading a message off the connection until its consumer is done with it.</summary>
    public const string DeliveryDuration = "mqtt.stream.delivery.duration";

    private const string ProviderTag = "mqtt.provider";

    // The shortest is a broker on the same machine, the longest is past what a message may take by default.
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };

    private static readonly MeasuredState[] MeasuredStates = Enum.GetValues<MeasuredState>();
    private static readonly string[] Outcomes = [.. Enum.GetValues<MqttPublishOutcome>().Select(Word)];

    private readonly KeyValuePair<string, object?> _provider;
    private readonly Counter<long> _received;
    private readonly Counter<long> _acknowledged;
    private readonly Counter<long> _published;
    private readonly Histogram<double> _publishDuration;
    private readonly Counter<long> _reconnects;
    private readonly Counter<long> _sessionsLost;
    private readonly Counter<long> _sessionsTakenOver;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _deadLettered;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _deadLettersPublished;
    private readonly Counter<long> _deadLettersLost;
    private readonly Counter<long> _pauses;
    private readonly Histogram<double> _delivery;
    private readonly Lock _lock = new();
    private IMeasuredConnection[] _connections = [];

    /// <summary>Creates the instruments.</summary>
    /// <param name="meterFactory">Makes the meter, and owns it.</param>
    /// <param name="providerName">The provider's name, a tag of every measurement.</param>
    public MqttStreamMetrics(IMeterFactory meterFactory, string providerName)
    {
        ArgumentNullException.ThrowIfNull(meterFactory);
        ArgumentException.ThrowIfNullOrWhiteSpace(providerName);
        _provider = new KeyValuePair<string, object?>(ProviderTag, providerName);

        // The tag on the meter keeps the meters of several providers in one process apart: a factory returns the same one for the same name and tags.
        var meter = meterFactory.Create(new MeterOptions(MeterName) { Tags = [_provider] });
        _received = meter.CreateCounter<long>(Received, "{message}", "Messages received.");
        _acknowledged = meter.CreateCounter<long>(Acknowledged, "{message}", "Messages acknowledged.");
        _published = meter.CreateCounter<long>(Published, "{message}", "Messages published, by outcome.");
        _publishDuration = meter.CreateHistogram(PublishDuration, "s", "From the call that publishes a message until the broker's answer.", advice: Seconds);
        _reconnects = meter.CreateCounter<long>(Reconnects, "{connection}", "Connections that ended or failed, by reason.");
        _sessionsLost = meter.CreateCounter<long>(SessionsLost, "{session}", "Sessions that the broker lost.");
        _sessionsTakenOver = meter.CreateCounter<long>(SessionsTakenOver, "{session}", "Sessions that another silo took over.");
        _refused = meter.CreateCounter<long>(Refused, "{message}", "Received messages, or parts of them, that could not be read, by reason.");
        _deadLettered = meter.CreateCounter<long>(DeadLettered, "{message}", "Received messages given up because their consumer failed, by reason.");
        _dropped = meter.CreateCounter<long>(Dropped, "{message}", "QoS 0 messages dropped because too many waited.");
        _deadLettersPublished = meter.CreateCounter<long>(DeadLettersPublished, "{message}", "Messages published to the dead-letter topic.");
        _deadLettersLost = meter.CreateCounter<long>(DeadLettersLost, "{message}", "Messages that could not be published to the dead-letter topic.");
        _pauses = meter.CreateCounter<long>(ReceivePauses, "{pause}", "Pauses in reading because the broker had sent more than it was allowed.");
        _delivery = meter.CreateHistogram(
            DeliveryDuration,
            "s",
            "From reading a message off the connection until its consumer is done with it.",
            advice: Seconds);
        meter.CreateObservableGauge(
            Unacknowledged, () => new Measurement<int>(Sum(static connection => connection.Unacknowledged), _provider), "{message}", "Received messages that are not acknowledged yet.");
        meter.CreateObservableGauge(
            ReceiveWindow, () => new Measurement<int>(Sum(static connection => connection.ReceiveWindow), _provider), "{message}", "Messages that may be unacknowledged at a time.");
        meter.CreateObservableGauge(PublishPending, MeasurePending, "{message}", "Messages that wait to be sent or to be answered.");
        meter.CreateObservableGauge(Connections, MeasureConnections, "{connection}", "Connections to the broker, by role and state.");
    }

    internal void MessageReceived(int qualityOfService) => _received.Add(1, _provider, new("mqtt.qos", qualityOfService));

    internal void MessagesAcknowledged(int count) => _acknowledged.Add(count, _provider);

    internal void MessagePublished(MqttPublishOutcome outcome, TimeSpan elapsed)
    {
        _published.Add(1, _provider, new("mqtt.outcome", Outcomes[(int)outcome]));
        if (outcome is MqttPublishOutcome.Accepted or MqttPublishOutcome.NoMatchingSubscribers or MqttPublishOutcome.Refused)
        {
            _publishDuration.Record(elapsed.TotalSeconds, _provider);
        }
    }

    internal void Reconnecting<T>(string role, T reason)
        where T : struct, Enum
    {
        TagList tags = new() { _provider, RoleTag(role), new("mqtt.reason", Word(reason)) };
        _reconnects.Add(1, tags);
    }

    internal bool MeasuresDelivery => _delivery.Enabled;

    internal void MessageRefused(string reason, int parts) => _refused.Add(parts, _provider, new("mqtt.reason", reason));

    internal void MessageDeadLettered(string reason) => _deadLettered.Add(1, _provider, new("mqtt.reason", reason));

    internal void DeadLetterPublished() => _deadLettersPublished.Add(1, _provider);

    internal void DeadLetterLost() => _deadLettersLost.Add(1, _provider);

    internal void ReceivePaused() => _pauses.Add(1, _provider);

    internal void MessageDropped() => _dropped.Add(1, _provider);

    internal void MessageDelivered(TimeSpan duration) => _delivery.Record(duration.TotalSeconds, _provider);

    internal void SessionLost() => _sessionsLost.Add(1, _provider);

    internal void SessionTakenOver() => _sessionsTakenOver.Add(1, _provider);

    /// <summary>Measures a connection until it is untracked.</summary>
    internal void Track(IMeasuredConnection connection)
    {
        lock (_lock)
        {
            Volatile.Write(ref _connections, [.. _connections, connection]);
        }
    }

    /// <summary>Measures a connection no more. Twice is once.</summary>
    internal void Untrack(IMeasuredConnection connection)
    {
        lock (_lock)
        {
            Volatile.Write(ref _connections, [.. _connections.Where(other => other != connection)]);
        }
    }

    private static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private static KeyValuePair<string, object?> RoleTag(string role) => new("mqtt.role", role.Replace(' ', '_'));

    private int Sum(Func<IMeasuredConnection, int> selector) => Volatile.Read(ref _connections).Where(static connection => connection.IsHeld).Sum(selector);

    private IEnumerable<IGrouping<string, IMeasuredConnection>> Held() =>
        Volatile.Read(ref _connections).Where(static connection => connection.IsHeld).GroupBy(static connection => connection.Role);

    private IEnumerable<Measurement<int>> MeasurePending() => Held()
        .Where(static role => role.Any(static connection => connection.Publishes))
        .Select(role => new Measurement<int>(role.Sum(static connection => connection.PendingPublishes), _provider, RoleTag(role.Key)));

    private IEnumerable<Measurement<int>> MeasureConnections() => Held().SelectMany(role => MeasuredStates.Select(
        state => new Measurement<int>(role.Count(connection => connection.MeasuredState == state), _provider, RoleTag(role.Key), new("mqtt.state", Word(state)))));
}
