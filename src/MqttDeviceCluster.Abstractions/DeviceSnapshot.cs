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
    [property: Id(2)] DateTimeOffset? LastSeen)
{
    /// <summary>Gets whether the device is there.</summary>
    [Id(3)]
    public DevicePresence Presence { get; init; } = DevicePresence.Unknown;

    /// <summary>
    /// Gets when the cluster first heard of the device (UTC), or <see langword="null"/> if it never did. Of a device that was stored by a version that
    /// did not keep it, the earliest time that is known.
    /// </summary>
    [Id(4)]
    public DateTimeOffset? FirstSeen { get; init; }

    /// <summary>Gets the firmware that the device's birth message named, if it did.</summary>
    [Id(5)]
    public string? Firmware { get; init; }

    /// <summary>Gets when all this was true (UTC): when it was read from the device's grain, or from the store if no silo had it in memory.</summary>
    [Id(6)]
    public DateTimeOffset AsOf { get; init; }
}
