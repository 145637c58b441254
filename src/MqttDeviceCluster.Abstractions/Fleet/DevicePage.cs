using System.Collections.Immutable;

namespace MqttDeviceCluster.Fleet;

/// <summary>A part of the fleet.</summary>
/// <param name="Devices">The devices that pass the filter.</param>
/// <param name="Continuation">Where to go on, or <see langword="null"/> at the end.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DevicePage")]
public sealed record DevicePage(
    [property: Id(0)] ImmutableArray<DeviceSnapshot> Devices,
    [property: Id(1)] string? Continuation);
