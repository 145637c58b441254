namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Why there is no connection. The names are metric tags.</summary>
internal enum MqttConnectFailure
{
    /// <summary>No answer in time.</summary>
    Timeout,

    /// <summary>The network, the name or the certificate.</summary>
    Network,

    /// <summary>The broker answered with an error that passes by itself: busy, over quota.</summary>
    Busy,

    /// <summary>The broker answered with an error that someone must mend: credentials, rights, client id, version.</summary>
    Refused,

    /// <summary>Our own settings, such as a certificate file that cannot be read.</summary>
    Settings,

    /// <summary>The process was paused or cut off, and is not to act yet.</summary>
    Fenced,
}

/// <summary>A connection was not established. The message is one clause for people, without secrets.</summary>
internal sealed class MqttConnectException(MqttConnectFailure failure, string message, byte reasonCode = 0, Exception? innerException = null)
    : Exception(message, innerException)
{
    public MqttConnectFailure Failure { get; } = failure;

    /// <summary>Gets the reason code of CONNACK, else 0.</summary>
    public byte ReasonCode { get; } = reasonCode;

    /// <summary>Gets whether trying again soon is of no use.</summary>
    public bool NeedsAttention => Failure is MqttConnectFailure.Refused or MqttConnectFailure.Settings;
}
