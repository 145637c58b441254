namespace MqttDeviceCluster;

/// <summary>Something that a watch is told.</summary>
/// <param name="DeviceId">The device; <see langword="null"/> when it concerns the watch and not one device.</param>
/// <param name="At">When it happened, as far as the cluster knows (UTC).</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceEvent")]
public abstract record DeviceEvent(
    [property: Id(0)] string? DeviceId,
    [property: Id(1)] DateTimeOffset At);
