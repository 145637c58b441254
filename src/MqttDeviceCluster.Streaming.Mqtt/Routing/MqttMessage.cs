using System.Collections.Immutable;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>A message as it is: the event type of routes with the codec <c>raw</c>, in both directions.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.Streaming.Mqtt.MqttMessage")]
public sealed record MqttMessage
{
    /// <summary>Gets the topic. Set by the provider on what it receives; what is published goes where the route says.</summary>
    [Id(0)]
    public string Topic { get; init; } = "";

    /// <summary>Gets the payload.</summary>
    [Id(1)]
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Gets the quality of service. Default <see cref="MqttQualityOfService.AtLeastOnce"/>.</summary>
    [Id(2)]
    public MqttQualityOfService QualityOfService { get; init; } = MqttQualityOfService.AtLeastOnce;

    /// <summary>Gets whether it is, or shall be, a retained message.</summary>
    [Id(3)]
    public bool Retain { get; init; }

    /// <summary>Gets the MQTT 5 Content Type, if any.</summary>
    [Id(4)]
    public string? ContentType { get; init; }

    /// <summary>Gets the MQTT 5 Response Topic, if any.</summary>
    [Id(5)]
    public string? ResponseTopic { get; init; }

    /// <summary>Gets the MQTT 5 Correlation Data; empty for none.</summary>
    [Id(6)]
    public ReadOnlyMemory<byte> CorrelationData { get; init; }

    /// <summary>Gets the MQTT 5 user properties, in order; names may repeat.</summary>
    [Id(7)]
    public ImmutableArray<KeyValuePair<string, string>> UserProperties { get; init; } = [];

    /// <summary>Gets when it was received (UTC); ignored on what is published.</summary>
    [Id(8)]
    public DateTimeOffset ReceivedAt { get; init; }

    /// <summary>Gets when what is published becomes worthless (UTC); <see langword="null"/>: never.</summary>
    [Id(9)]
    public DateTimeOffset? ExpiresAt { get; init; }
}

internal sealed class MqttMessageCodec : IMqttEventDecoder<MqttMessage>, IMqttEventEncoder<MqttMessage>
{
    public static readonly MqttMessageCodec Instance = new();

    public MqttDecoded<MqttMessage> Decode(MqttIncomingMessage message) => MqttDecoded.Accept(new MqttMessage
    {
        Topic = message.Topic,
        Payload = message.Payload,
        QualityOfService = message.QualityOfService,
        Retain = message.Retain,
        ContentType = message.ContentType,
        ResponseTopic = message.ResponseTopic,
        CorrelationData = message.CorrelationData,
        UserProperties = [.. message.UserProperties],
        ReceivedAt = message.ReceivedAt,
    });

    public MqttOutgoingMessage Encode(string key, MqttMessage value) => new()
    {
        Payload = value.Payload,
        QualityOfService = value.QualityOfService,
        Retain = value.Retain,
        ContentType = value.ContentType,
        ResponseTopic = value.ResponseTopic,
        CorrelationData = value.CorrelationData,
        UserProperties = value.UserProperties.IsDefault ? [] : value.UserProperties,
        ExpiresAt = value.ExpiresAt,
    };
}
