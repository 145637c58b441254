namespace MqttDeviceCluster;

/// <summary>A device was forgotten by <see cref="IDeviceGrain.ForgetAsync"/>. If it sends again, it is a new device.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="At">When (UTC).</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceForgottenEvent")]
public sealed record DeviceForgottenEvent(string DeviceId, DateTimeOffset At) : DeviceEvent(DeviceId, At);
