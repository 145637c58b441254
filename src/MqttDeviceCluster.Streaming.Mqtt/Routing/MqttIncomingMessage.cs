using System.Diagnostics.CodeAnalysis;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>A PUBLISH that the broker sent, with the parts that a decoder may want.</summary>
public sealed class MqttIncomingMessage
{
    /// <summary>Gets the topic.</summary>
    public required string Topic { get; init; }

    /// <summary>Gets the stream key, taken from the topic by the route's template.</summary>
    public string Key { get; internal set; } = "";

    /// <summary>Gets the payload. The memory belongs to the message and may be kept.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Gets the quality of service that the message was delivered with.</summary>
    public MqttQualityOfService QualityOfService { get; init; }

    /// <summary>Gets whether the broker sent it from its retained messages.</summary>
    public bool Retain { get; init; }

    /// <summary>
    /// Gets whether the broker marks it as sent again (DUP). No way to know duplicates by: a marked one may never have arrived before, and what the publisher sends twice is not marked.
    /// </summary>
    public bool Duplicate { get; init; }

    /// <summary>Gets when it was read from the connection (UTC).</summary>
    public DateTimeOffset ReceivedAt { get; init; }

    /// <summary>Gets the MQTT 5 Content Type, if any.</summary>
    public string? ContentType { get; init; }

    /// <summary>Gets the MQTT 5 Response Topic, if any.</summary>
    public string? ResponseTopic { get; init; }

    /// <summary>Gets the MQTT 5 Correlation Data; empty if there is none.</summary>
    public ReadOnlyMemory<byte> CorrelationData { get; init; }

    /// <summary>Gets the MQTT 5 user properties, in order; names may repeat.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> UserProperties { get; init; } = [];

    /// <summary>
    /// Gets the W3C trace context in the user properties, if there is exactly one and it is valid. A stranger's word: see <see cref="MqttStreamTracing.StartProcess"/>.
    /// </summary>
    /// <param name="traceParent">The <c>traceparent</c>.</param>
    /// <param name="traceState">The <c>tracestate</c>, if there is one.</param>
    public bool TryGetTraceContext([NotNullWhen(true)] out string? traceParent, out string? traceState)
    {
        (traceParent, traceState) = UserProperties.Count == 0 ? default : MqttStreamTracing.Read(UserProperties);
        return traceParent is not null;
    }
}
