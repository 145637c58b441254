using System.Collections.Immutable;

namespace MqttDeviceCluster.Streams;

/// <summary>An update: what a device says of some of its pins.</summary>
/// <param name="ReceivedAt">When it reached the cluster (UTC).</param>
/// <param name="Retained">Whether the broker sent it from its retained messages.</param>
/// <param name="Pins">The pins, in the order the device named them.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceUpdate")]
public sealed record DeviceUpdate(DateTimeOffset ReceivedAt, bool Retained, [property: Id(0)] ImmutableArray<PinReading> Pins)
    : DeviceMessage(ReceivedAt, Retained)
{
    /// <summary>Gets the device's boot counter, when it sends one.</summary>
    [Id(1)]
    public long? Boot { get; init; }

    /// <summary>Gets the number of the update within its boot, when the device sends one.</summary>
    [Id(2)]
    public long? Seq { get; init; }

    /// <summary>Gets the id of the command that the device echoed, when it did.</summary>
    [Id(3)]
    public Guid? CommandId { get; init; }
}
