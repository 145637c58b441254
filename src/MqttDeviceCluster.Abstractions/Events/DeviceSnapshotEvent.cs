namespace MqttDeviceCluster;

/// <summary>The whole of a device: the first event of a watch over one device, and the one after each of its gaps.</summary>
/// <param name="Snapshot">The device.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceSnapshotEvent")]
public sealed record DeviceSnapshotEvent([property: Id(0)] DeviceSnapshot Snapshot) : DeviceEvent(Snapshot.DeviceId, Snapshot.AsOf);
