namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>The names under which the provider reports. None carries a topic, a stream key or a client id as a tag.</summary>
public static class MqttStreamTelemetry
{
    /// <summary>The name for <c>AddMeter</c>.</summary>
    public const string MeterName = "MqttDeviceCluster.Streaming.Mqtt";

    /// <summary>Counter, <c>{message}</c>: received messages, or parts of them, that could not be read, by <c>reason</c>.</summary>
    public const string Refused = "mqtt.stream.messages.refused";

    /// <summary>Counter, <c>{message}</c>: messages given up because their consumer failed, by <c>reason</c>.</summary>
    public const string DeadLettered = "mqtt.stream.messages.dead_lettered";

    /// <summary>Counter, <c>{message}</c>: QoS 0 messages dropped because too many waited.</summary>
    public const string Dropped = "mqtt.stream.messages.dropped";

    /// <summary>Histogram, <c>s</c>: from reading a message off the connection until its consumer is done with it.</summary>
    public const string DeliveryDuration = "mqtt.stream.delivery.duration";
}
