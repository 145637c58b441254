namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>
/// Tells a poison message from a failing dependency. A host that registers one (keyed by the provider's name) is asked when a message kept failing
/// for <see cref="MqttStreamOptions.MaxDeliveryTime"/>.
/// </summary>
public interface IMqttDeliveryGate
{
    /// <summary>
    /// Gets whether failed messages are to be kept and delivered again, because what they need fails for all of them: a store, say, or a silo that was lost with its grains. While it is
    /// <see langword="true"/>, and for three times <see cref="MqttStreamOptions.MaxDeliveryTime"/> (28 s at most) afterwards, no message is dead-lettered because its delivery failed, and
    /// nothing that failed is acknowledged. Called often: it must be cheap and thread-safe.
    /// </summary>
    bool HoldFailures { get; }
}
