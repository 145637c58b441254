namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>A received message together with its place in the acknowledgement ledger of the connection it came on.</summary>
internal abstract class MqttDelivery(MqttIncomingMessage message, long epoch)
{
    /// <summary>Gets the message.</summary>
    public MqttIncomingMessage Message { get; } = message;

    /// <summary>Gets the number of the connection it came on: 1 for the first connection of a session object, one more for each reconnect.</summary>
    public long Epoch { get; } = epoch;

    /// <summary>
    /// Says that the message is finished: its PUBACK may go out. Thread-safe; repeated calls, calls for QoS 0, and calls after the connection
    /// has ended do nothing.
    /// </summary>
    public abstract void Complete();
}
