using System.Buffers;
using System.Text;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Translates between MQTTnet's packets and our types.</summary>
internal static class MqttPackets
{
    public static MqttConnectPacket Connect(MqttLinkSettings settings) => new()
    {
        ClientId = settings.ClientId,
        CleanSession = settings.CleanStart,
        SessionExpiryInterval = (uint)Math.Clamp(settings.SessionExpiry.TotalSeconds, 0, uint.MaxValue - 1),
        KeepAlivePeriod = (ushort)Math.Clamp(Math.Ceiling(settings.KeepAlive.TotalSeconds), 1, ushort.MaxValue),
        ReceiveMaximum = (ushort)settings.ReceiveMaximum,
        // MQTTnet does not resolve aliases that it receives.
        TopicAliasMaximum = 0,
        RequestProblemInformation = true,
        Username = settings.UserName,
        Password = settings.Password is null ? null : Encoding.UTF8.GetBytes(settings.Password),
    };

    public static MqttLinkInfo Info(MqttConnAckPacket packet, MqttLinkSettings settings)
    {
        var keepAlive = settings.KeepAlive;
        if (packet.ServerKeepAlive > 0 && packet.ServerKeepAlive < keepAlive.TotalSeconds)
        {
            keepAlive = TimeSpan.FromSeconds(packet.ServerKeepAlive);
        }

        return new MqttLinkInfo(
            packet.IsSessionPresent,
            packet.ReceiveMaximum == 0 ? ushort.MaxValue : packet.ReceiveMaximum,
            packet.MaximumPacketSize,
            (int)packet.MaximumQoS,
            packet.RetainAvailable,
            packet.SharedSubscriptionAvailable,
            keepAlive,
            packet.SessionExpiryInterval == 0 ? null : TimeSpan.FromSeconds(packet.SessionExpiryInterval),
            string.IsNullOrEmpty(packet.AssignedClientIdentifier) ? settings.ClientId : packet.AssignedClientIdentifier);
    }

    public static MqttConnectException Refusal(MqttConnAckPacket packet)
    {
        var code = (byte)packet.ReasonCode;
        var (failure, what) = code switch
        {
            0x84 or 0x01 => (MqttConnectFailure.Refused, "it does not speak MQTT 5"),
            0x85 => (MqttConnectFailure.Refused, "it does not take the client id"),
            0x86 or 0x04 => (MqttConnectFailure.Refused, "it refuses the user name or password"),
            0x87 or 0x05 => (MqttConnectFailure.Refused, "it does not let this user connect"),
            0x8A => (MqttConnectFailure.Refused, "it has banned this client"),
            0x8C => (MqttConnectFailure.Refused, "it refuses the authentication method"),
            0x9C or 0x9D => (MqttConnectFailure.Refused, "it wants another server to be used"),
            0x88 => (MqttConnectFailure.Busy, "it is not available"),
            0x89 => (MqttConnectFailure.Busy, "it is busy"),
            0x97 => (MqttConnectFailure.Busy, "a quota is exceeded"),
            0x9F => (MqttConnectFailure.Busy, "connections come too fast for it"),
            _ => (MqttConnectFailure.Busy, $"it refuses the connection: {packet.ReasonCode}"),
        };
        return new MqttConnectException(failure, $"{what} (0x{code:X2})", code);
    }

    public static MqttSubscribePacket Subscribe(ushort packetId, IReadOnlyList<MqttFilter> filters) => new()
    {
        PacketIdentifier = packetId,
        TopicFilters = [.. filters.Select(filter => new MqttTopicFilter
        {
            Topic = filter.Filter,
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)filter.QualityOfService,
            // The flag is to say one thing: that the broker had stored the message and this is old news. As published it would also mark
            // what someone publishes retained this moment, and no one could tell the two apart.
            RetainAsPublished = false,
            RetainHandling = MqttRetainHandling.SendAtSubscribeIfNewSubscriptionOnly,
        })],
    };

    public static MqttPublishPacket Publish(in MqttLinkPublish publish)
    {
        var message = publish.Message;
        MqttPublishPacket packet = new()
        {
            Topic = publish.Topic,
            Payload = new ReadOnlySequence<byte>(message.Payload),
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)message.QualityOfService,
            PacketIdentifier = publish.PacketId,
            Retain = message.Retain,
            MessageExpiryInterval = publish.ExpirySeconds,
            ContentType = message.ContentType,
            ResponseTopic = message.ResponseTopic,
            CorrelationData = message.CorrelationData.IsEmpty ? null : message.CorrelationData.ToArray(),
        };
        if (message.UserProperties.Count > 0 || publish.TraceParent is not null)
        {
            List<MqttUserProperty> properties = new(message.UserProperties.Count + 2);
            foreach (var (name, value) in message.UserProperties)
            {
                Add(properties, name, value);
            }

            Add(properties, MqttStreamTracing.TraceParent, publish.TraceParent);
            Add(properties, MqttStreamTracing.TraceState, publish.TraceState);
            packet.UserProperties = properties;
        }

        return packet;

        static void Add(List<MqttUserProperty> properties, string name, string? value)
        {
            if (value is not null)
            {
                properties.Add(new MqttUserProperty(name, new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(value))));
            }
        }
    }

    public static MqttIncomingMessage Message(MqttPublishPacket packet, DateTimeOffset receivedAt) => new()
    {
        Topic = packet.Topic,
        // The decoder copies each packet into memory of its own, in one piece: it may be kept.
        Payload = packet.Payload.IsSingleSegment ? packet.Payload.First : packet.Payload.ToArray(),
        QualityOfService = (MqttQualityOfService)packet.QualityOfServiceLevel,
        Retain = packet.Retain,
        Duplicate = packet.Dup,
        ReceivedAt = receivedAt,
        ContentType = packet.ContentType,
        ResponseTopic = packet.ResponseTopic,
        CorrelationData = packet.CorrelationData,
        UserProperties = packet.UserProperties is { Count: > 0 } properties
            ? [.. properties.Select(property => KeyValuePair.Create(property.Name, property.ReadValueAsString()))]
            : [],
    };
}
