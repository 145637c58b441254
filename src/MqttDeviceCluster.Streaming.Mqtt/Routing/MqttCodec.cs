using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>
/// A decoder and an encoder for one event type, by which routes in a configuration file can name them: see
/// <c>AddMqttCodec</c>. The codec <c>raw</c> is always there.
/// </summary>
public abstract class MqttCodec
{
    /// <summary>The name of the codec that passes messages on as they are, as <see cref="MqttMessage"/>.</summary>
    public const string RawName = "raw";

    private protected MqttCodec()
    {
    }

    internal static MqttCodec Raw { get; } = Create(MqttMessageCodec.Instance, MqttMessageCodec.Instance);

    /// <summary>Makes a codec. Either side may be missing when no route needs it.</summary>
    public static MqttCodec Create<TEvent>(IMqttEventDecoder<TEvent>? decoder, IMqttEventEncoder<TEvent>? encoder)
        where TEvent : notnull =>
        new Typed<TEvent>(decoder, encoder);

    /// <summary>Makes a codec for JSON in UTF-8, QoS 1, not retained. A payload that is not such JSON is refused as <c>json</c>.</summary>
    public static MqttCodec Json<TEvent>(JsonTypeInfo<TEvent> typeInfo)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(typeInfo);
        var codec = new JsonCodec<TEvent>(typeInfo);
        return Create(codec, codec);
    }

    internal abstract MqttRoute? FromTopic(string topic, string streamNamespace, MqttQualityOfService qualityOfService, int connection);

    internal abstract MqttRoute? ToTopic(string streamNamespace, string topic);

    private sealed class Typed<TEvent>(IMqttEventDecoder<TEvent>? decoder, IMqttEventEncoder<TEvent>? encoder) : MqttCodec
        where TEvent : notnull
    {
        internal override MqttRoute? FromTopic(string topic, string streamNamespace, MqttQualityOfService qualityOfService, int connection) =>
            decoder is null ? null : MqttRoute.FromTopic(topic, streamNamespace, decoder, qualityOfService, connection);

        internal override MqttRoute? ToTopic(string streamNamespace, string topic) =>
            encoder is null ? null : MqttRoute.ToTopic(streamNamespace, topic, encoder);
    }

    private sealed class JsonCodec<TEvent>(JsonTypeInfo<TEvent> typeInfo) : IMqttEventDecoder<TEvent>, IMqttEventEncoder<TEvent>
        where TEvent : notnull
    {
        public MqttDecoded<TEvent> Decode(MqttIncomingMessage message)
        {
            try
            {
                return JsonSerializer.Deserialize(message.Payload.Span, typeInfo) is { } value
                    ? MqttDecoded.Accept(value)
                    : MqttDecoded.Refuse<TEvent>("json", "the payload is null");
            }
            catch (JsonException exception)
            {
                return MqttDecoded.Refuse<TEvent>("json", exception.Message);
            }
        }

        public MqttOutgoingMessage Encode(string key, TEvent value) =>
            new() { Payload = JsonSerializer.SerializeToUtf8Bytes(value, typeInfo), ContentType = "application/json" };
    }
}
