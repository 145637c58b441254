namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>What became of a published message.</summary>
public enum MqttPublishOutcome
{
    /// <summary>The broker has it (QoS 1), or it was written to the connection (QoS 0).</summary>
    Accepted = 0,

    /// <summary>
    /// The broker has it, and no session is subscribed to its topic (reason 0x10). Its absence proves nothing: a broker need not
    /// say so, and any wildcard subscriber hides it.
    /// </summary>
    NoMatchingSubscribers = 1,

    /// <summary>The broker answered with an error, or said before that it takes no such message (too large, its QoS, retained): it does not have it.</summary>
    Refused = 2,

    /// <summary>It was never sent: no connection, queue full, expired, withdrawn, or nothing that MQTT can carry.</summary>
    NotSent = 3,

    /// <summary>The connection ended after it was sent and before the broker answered. It is not sent again.</summary>
    Unknown = 4,

    /// <summary>It was never sent: the process was paused or cut off, see <see cref="IMqttFence"/>.</summary>
    Fenced = 5,
}

/// <summary>What became of a published message, with the broker's reason.</summary>
/// <param name="Outcome">What is known.</param>
/// <param name="ReasonCode">The MQTT 5 reason code of the PUBACK, or the one that the broker would give; 0 when there is none.</param>
/// <param name="Reason">One phrase for people.</param>
public readonly record struct MqttPublishResult(MqttPublishOutcome Outcome, byte ReasonCode, string Reason)
{
    /// <summary>Gets whether the broker has the message.</summary>
    public bool IsAccepted => Outcome is MqttPublishOutcome.Accepted or MqttPublishOutcome.NoMatchingSubscribers;
}
