using System.Diagnostics;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>What an encoder makes of an event. The route adds the topic.</summary>
public sealed class MqttOutgoingMessage
{
    /// <summary>Gets the payload.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Gets the quality of service. Default <see cref="MqttQualityOfService.AtLeastOnce"/>.</summary>
    public MqttQualityOfService QualityOfService { get; init; } = MqttQualityOfService.AtLeastOnce;

    /// <summary>Gets whether the broker shall keep it for later subscribers. Default <see langword="false"/>.</summary>
    public bool Retain { get; init; }

    /// <summary>
    /// Gets when the message becomes worthless (UTC). It is not sent after that, and is sent with what is left as its MQTT 5
    /// Message Expiry: in whole seconds, rounded down, at least 1. <see langword="null"/>: it never expires.
    /// </summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Gets the MQTT 5 Content Type, if any.</summary>
    public string? ContentType { get; init; }

    /// <summary>Gets the MQTT 5 Response Topic, if any.</summary>
    public string? ResponseTopic { get; init; }

    /// <summary>Gets the MQTT 5 Correlation Data; empty for none.</summary>
    public ReadOnlyMemory<byte> CorrelationData { get; init; }

    /// <summary>Gets the MQTT 5 user properties. The provider adds <c>traceparent</c> and <c>tracestate</c> when there is a trace.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> UserProperties { get; init; } = [];

    /// <summary>
    /// Gets a token that withdraws the message while it still waits to be sent. It has no effect once the first byte was written.
    /// </summary>
    public CancellationToken Withdrawn { get; init; }

    /// <summary>
    /// Gets what is called with the span under which the message is published, before it is sent, if there is such a span: whoever waits for an answer keeps its context, and may
    /// add tags. It must return at once and not throw.
    /// </summary>
    public Action<Activity>? Traced { get; init; }

    /// <summary>Gets what is called right before the message is written to the broker, once at most. It must return at once and not throw: others' messages wait for it.</summary>
    public Action? Sending { get; init; }
}
