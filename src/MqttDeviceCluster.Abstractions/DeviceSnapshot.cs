using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>What the cluster last knew of a device.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Pins">The last update of every pin the device ever named, in the order of the pins; empty for a device never heard of.</param>
/// <param name="LastSeen">
/// When the device last sent anything (UTC), or <see langword="null"/> if it never did. After a silo was lost it, and the time of a pin that was
/// reported unchanged, may be some minutes older than the truth; modes and states never are.
/// </param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceSnapshot")]
public sealed record DeviceSnapshot(
    [property: Id(0)] string DeviceId,
    [property: Id(1)] ImmutableArray<PinUpdate> Pins,
    [property: Id(2)] DateTimeOffset? LastSeen);
