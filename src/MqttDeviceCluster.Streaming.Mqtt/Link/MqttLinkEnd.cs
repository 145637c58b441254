namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Why a connection ended. The names are metric tags.</summary>
internal enum MqttLinkEndCause
{
    /// <summary>We closed it.</summary>
    Closed,

    /// <summary>The other side closed the socket without a word.</summary>
    ClosedByPeer,

    /// <summary>The broker sent DISCONNECT; its reason is known.</summary>
    Disconnected,

    /// <summary>Reading or writing failed.</summary>
    NetworkError,

    /// <summary>Nothing was heard for one and a half keep-alives, or while messages that were written ran out of time.</summary>
    Silent,

    /// <summary>The broker sent what MQTT 5, or we, do not allow here.</summary>
    ProtocolError,

    /// <summary>Our own code failed on what was received.</summary>
    Failed,

    /// <summary>The process was paused or cut off: see <see cref="IMqttFence"/>.</summary>
    Fenced,

    /// <summary>We closed it to connect with other credentials.</summary>
    Renewed,
}

/// <summary>How a connection ended.</summary>
/// <param name="Cause">The cause.</param>
/// <param name="Reason">One phrase for people, without secrets.</param>
/// <param name="ReasonCode">The reason code of a received DISCONNECT, else 0.</param>
/// <param name="Exception">What was thrown, if anything.</param>
internal sealed record MqttLinkEnd(MqttLinkEndCause Cause, string Reason, byte ReasonCode = 0, Exception? Exception = null)
{
    /// <summary>Gets whether the broker said that another connection has the session now.</summary>
    public bool IsTakenOver => Cause == MqttLinkEndCause.Disconnected && ReasonCode == 0x8E;
}
