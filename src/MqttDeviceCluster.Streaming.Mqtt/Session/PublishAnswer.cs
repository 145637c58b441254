namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Reads what a PUBACK says.</summary>
internal static class PublishAnswer
{
    /// <summary>Returns what became of the message.</summary>
    /// <param name="code">The reason code.</param>
    /// <param name="text">The broker's own words, if it has any.</param>
    public static MqttPublishResult Read(byte code, string? text)
    {
        var reason = code switch
        {
            0x00 => "accepted",
            0x10 => "no matching subscribers",
            0x80 => "unspecified error",
            0x83 => "implementation specific error",
            0x87 => "not authorized",
            0x90 => "topic name invalid",
            0x91 => "packet identifier in use",
            0x97 => "quota exceeded",
            0x99 => "payload format invalid",
            _ => $"reason 0x{code:X2}",
        };
        var outcome = code switch
        {
            0x10 => MqttPublishOutcome.NoMatchingSubscribers,
            < 0x80 => MqttPublishOutcome.Accepted,
            _ => MqttPublishOutcome.Refused,
        };
        return new(outcome, code, string.IsNullOrEmpty(text) ? reason : $"{reason}: {text}");
    }
}
