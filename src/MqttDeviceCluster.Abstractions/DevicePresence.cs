namespace MqttDeviceCluster;

/// <summary>Whether a device is there, how that is known, and since when.</summary>
/// <param name="State">Whether it is there.</param>
/// <param name="Reason">How that is known.</param>
/// <param name="Since">When that became known (UTC); <see langword="null"/> while it is not.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DevicePresence")]
public sealed record DevicePresence(
    [property: Id(0)] Presence State,
    [property: Id(1)] PresenceReason Reason,
    [property: Id(2)] DateTimeOffset? Since)
{
    /// <summary>Gets the presence of a device that was never heard of.</summary>
    public static DevicePresence Unknown { get; } = new(Presence.Unknown, PresenceReason.None, null);
}
