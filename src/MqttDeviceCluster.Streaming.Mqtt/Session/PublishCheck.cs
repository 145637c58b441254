using System.Text;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>
/// Finds what the broker would answer by closing the connection, and the encoder by breaking it: one bad message must not cost the others theirs.
/// </summary>
internal static class PublishCheck
{
    /// <summary>Returns why a message cannot be sent to any broker, or <see langword="null"/>.</summary>
    public static string? Find(string topic, MqttOutgoingMessage message)
    {
        if (topic.Length == 0 || topic.AsSpan().ContainsAny('+', '#', '\0'))
        {
            return "the topic is empty, or has a wildcard or NUL";
        }

        if (!Fits(topic) || !Fits(message.ContentType) || !Fits(message.ResponseTopic) || message.CorrelationData.Length > ushort.MaxValue)
        {
            return "its topic or a property is longer than 65,535 bytes, or has a NUL";
        }

        if (message.ResponseTopic is { } response && (response.Length == 0 || response.AsSpan().ContainsAny('+', '#')))
        {
            return "the response topic is empty, or has a wildcard";
        }

        for (var i = 0; i < message.UserProperties.Count; i++)
        {
            if (!Fits(message.UserProperties[i].Key) || !Fits(message.UserProperties[i].Value))
            {
                return "a user property is longer than 65,535 bytes, or has a NUL";
            }
        }

        return null;
    }

    /// <summary>
    /// Returns how the broker of this connection refuses a message, as it said in CONNACK, or <see langword="null"/>. It would answer such a message by
    /// closing the connection.
    /// </summary>
    public static MqttPublishResult? Find(in MqttLinkPublish publish, MqttLinkInfo info)
    {
        var message = publish.Message;
        if ((int)message.QualityOfService > info.MaximumQoS)
        {
            return Refusal(0x9B, $"the broker takes QoS {info.MaximumQoS} at most");
        }

        if (message.Retain && !info.RetainAvailable)
        {
            return Refusal(0x9A, "the broker keeps no retained messages");
        }

        return info.MaximumPacketSize > 0 && Size(publish) > info.MaximumPacketSize
            ? Refusal(0x95, $"it is larger than the {info.MaximumPacketSize} bytes that the broker takes")
            : null;

        static MqttPublishResult Refusal(byte code, string reason) => new(MqttPublishOutcome.Refused, code, reason);
    }

    // The size of the whole packet as MQTT 5 encodes it, give or take the unused bytes of two variable-length lengths.
    private static long Size(in MqttLinkPublish publish)
    {
        var message = publish.Message;
        long size = 1 + 4 + 4 + 2 + Encoding.UTF8.GetByteCount(publish.Topic) + message.Payload.Length;
        size += publish.PacketId == 0 ? 0 : 2;
        size += publish.ExpirySeconds == 0 ? 0 : 5;
        size += message.CorrelationData.IsEmpty ? 0 : 3 + message.CorrelationData.Length;
        size += Property(message.ContentType) + Property(message.ResponseTopic);
        foreach (var (name, value) in message.UserProperties)
        {
            size += 5 + Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value);
        }

        return size + Property(publish.TraceParent, "traceparent") + Property(publish.TraceState, "tracestate");

        static int Property(string? value, string name = "") =>
            value is null ? 0 : 3 + Encoding.UTF8.GetByteCount(value) + (name.Length == 0 ? 0 : 2 + name.Length);
    }

    private static bool Fits(string? text) =>
        text is null
        || ((text.Length <= ushort.MaxValue / 3 || Encoding.UTF8.GetByteCount(text) <= ushort.MaxValue) && !text.Contains('\0', StringComparison.Ordinal));
}
