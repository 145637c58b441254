namespace MqttDeviceCluster.Streams;

/// <summary>What a device's status topic says: its birth message, its last will or its goodbye.</summary>
/// <param name="ReceivedAt">When it reached the cluster (UTC).</param>
/// <param name="Retained">Whether the broker sent it from its retained messages. It counts all the same: a status is made to be retained.</param>
/// <param name="Online">Whether the device is online.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceStatus")]
public sealed record DeviceStatus(DateTimeOffset ReceivedAt, bool Retained, [property: Id(0)] bool Online)
    : DeviceMessage(ReceivedAt, Retained)
{
    /// <summary>Gets the device's boot counter, when it sends one. A will of an older boot than the known one is ignored.</summary>
    [Id(1)]
    public long? Boot { get; init; }

    /// <summary>Gets the firmware, when the device names it.</summary>
    [Id(2)]
    public string? Firmware { get; init; }
}
