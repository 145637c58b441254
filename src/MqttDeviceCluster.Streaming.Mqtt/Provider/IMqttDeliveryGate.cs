namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>
/// Tells a poison message from a failing dependency. A host that registers one (keyed by the provider's name) is asked when a message kept failing
/// for <see cref="MqttStreamOptions.MaxDeliveryTime"/>.
/// </summary>
public interface IMqttDeliveryGate
{
    /// <summary>
    /// Gets for how long failed messages are to be kept and delivered again, because what they need fails for all of them: <see cref="TimeSpan.MaxValue"/> for as long as it says so,
    /// while a store fails, say; a bound when only some may be concerned, when a silo was lost with its grains, say, since one that is lost again and again would keep poison alive
    /// for ever; <see cref="TimeSpan.Zero"/> when nothing is known to fail.
    /// </summary>
    /// <remarks>
    /// While it is more than zero, and for three times <see cref="MqttStreamOptions.MaxDeliveryTime"/> (28 s at most) afterwards, no message is dead-lettered because its delivery
    /// failed, and nothing that failed is acknowledged, unless deliveries to its consumer have done nothing but fail for that long. Called often: it must be cheap and thread-safe.
    /// </remarks>
    TimeSpan HoldFailuresFor { get; }
}
