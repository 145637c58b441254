using System.Diagnostics.Metrics;

namespace MqttDeviceCluster.Streaming.Mqtt.Diagnostics;

/// <summary>What becomes of received messages between the connection and the grains.</summary>
internal sealed class MqttDeliveryMetrics
{
    private static readonly double[] DurationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly KeyValuePair<string, object?> _provider;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _deadLettered;
    private readonly Counter<long> _dropped;
    private readonly Histogram<double> _duration;

    public MqttDeliveryMetrics(IMeterFactory meterFactory, string providerName)
    {
        var meter = meterFactory.Create(MqttStreamTelemetry.MeterName);
        _provider = new("mqtt.stream.provider", providerName);
        _refused = meter.CreateCounter<long>(
            MqttStreamTelemetry.Refused, "{message}", "Received messages, or parts of them, that could not be read.");
        _deadLettered = meter.CreateCounter<long>(
            MqttStreamTelemetry.DeadLettered, "{message}", "Received messages that were given up because their consumer failed.");
        _dropped = meter.CreateCounter<long>(
            MqttStreamTelemetry.Dropped, "{message}", "QoS 0 messages dropped because too many waited for their consumers.");
        _duration = meter.CreateHistogram(
            MqttStreamTelemetry.DeliveryDuration,
            "s",
            "From reading a message off the connection until its consumer is done with it.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationBounds });
    }

    public void Refused(string reason, int count) => _refused.Add(count, _provider, new("reason", reason));

    public void DeadLettered(string reason) => _deadLettered.Add(1, _provider, new("reason", reason));

    public void Dropped() => _dropped.Add(1, _provider);

    public bool MeasuresDuration => _duration.Enabled;

    public void Delivered(TimeSpan duration) => _duration.Record(duration.TotalSeconds, _provider);
}
