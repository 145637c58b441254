namespace MqttDeviceCluster;

/// <summary>A device was heard of for the first time. It is told before the device's first updates.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="At">When (UTC).</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceAddedEvent")]
public sealed record DeviceAddedEvent(string DeviceId, DateTimeOffset At) : DeviceEvent(DeviceId, At);
