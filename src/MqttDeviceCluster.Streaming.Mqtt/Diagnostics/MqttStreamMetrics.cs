using System.Diagnostics;
using System.Diagnostics.Metrics;

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

    /// <summary>Messages published, by <c>mqtt.outcome</c> (see <see cref="MqttPublishOutcome"/>).</summary>
    public const string Published = "mqtt.stream.messages.published";

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

    private static readonly double[] DeliveryBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly KeyValuePair<string, object?> _provider;
    private readonly Counter<long> _received;
    private readonly Counter<long> _acknowledged;
    private readonly Counter<long> _published;
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
    private Func<int>[] _unacknowledged = [];

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
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = DeliveryBounds });
        meter.CreateObservableGauge(
            Unacknowledged, () => new Measurement<int>(CountUnacknowledged(), _provider), "{message}", "Received messages that are not acknowledged yet.");
    }

    internal void MessageReceived(int qualityOfService) => _received.Add(1, _provider, new("mqtt.qos", qualityOfService));

    internal void MessagesAcknowledged(int count) => _acknowledged.Add(count, _provider);

    internal void MessagePublished(MqttPublishOutcome outcome)
    {
        if (_published.Enabled)
        {
            _published.Add(1, _provider, new("mqtt.outcome", outcome.ToString()));
        }
    }

    internal void Reconnecting(string role, string reason)
    {
        TagList tags = new() { _provider, new("mqtt.role", role), new("mqtt.reason", reason) };
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

    /// <summary>Adds a session to the gauge until the result is disposed.</summary>
    internal IDisposable TrackUnacknowledged(Func<int> count)
    {
        lock (_lock)
        {
            _unacknowledged = [.. _unacknowledged, count];
        }

        return new Tracking(this, count);
    }

    private int CountUnacknowledged() => Volatile.Read(ref _unacknowledged).Sum(count => count());

    private sealed class Tracking(MqttStreamMetrics metrics, Func<int> count) : IDisposable
    {
        public void Dispose()
        {
            lock (metrics._lock)
            {
                metrics._unacknowledged = [.. metrics._unacknowledged.Where(other => other != count)];
            }
        }
    }
}
