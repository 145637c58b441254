namespace MqttDeviceCluster.Streams;

/// <summary>Something that a device sent.</summary>
/// <param name="ReceivedAt">When it reached the cluster (UTC).</param>
/// <param name="Retained">
/// Whether the broker sent it from its retained messages: an old state, which never confirms a command.
/// </param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceMessage")]
public abstract record DeviceMessage(
    [property: Id(0)] DateTimeOffset ReceivedAt,
    [property: Id(1)] bool Retained)
{
    /// <summary>
    /// Gets whether the broker marked it as sent again. It may have been handled before, and then it is older than what is known by now.
    /// </summary>
    [Id(2)]
    public bool Redelivered { get; init; }

    /// <summary>Gets the W3C <c>traceparent</c> that came with it, when there was a valid one. A stranger's word: it is linked to, and decides nothing.</summary>
    [Id(3)]
    public string? TraceParent { get; init; }

    /// <summary>Gets the W3C <c>tracestate</c> that came with it.</summary>
    [Id(4)]
    public string? TraceState { get; init; }
}
