namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>The broker could not be asked: it is away, or it refused. The message is one sentence for people, without secrets.</summary>
public sealed class MqttBrokerException : Exception
{
    /// <summary>Creates the exception.</summary>
    public MqttBrokerException(string message, bool needsAttention, Exception? innerException = null)
        : base(message, innerException) => NeedsAttention = needsAttention;

    /// <summary>Gets whether trying again is of no use before someone has mended rights, credentials or settings.</summary>
    public bool NeedsAttention { get; }
}
