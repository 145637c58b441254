namespace MqttDeviceCluster;

/// <summary>A device came or went, or it is known in another way whether it is there.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="At">When (UTC).</param>
/// <param name="Presence">The presence since then.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.PresenceEvent")]
public sealed record PresenceEvent(string DeviceId, DateTimeOffset At, [property: Id(0)] DevicePresence Presence)
    : DeviceEvent(DeviceId, At);
