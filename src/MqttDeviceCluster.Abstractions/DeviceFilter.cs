namespace MqttDeviceCluster;

/// <summary>Selects devices. A part that is <see langword="null"/> matches any device.</summary>
/// <param name="IdPrefix">How the id begins, compared byte by byte.</param>
/// <param name="Presence">The presence.</param>
/// <param name="Pin">Matches a device with at least one pin that passes.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceFilter")]
public sealed record DeviceFilter(
    [property: Id(0)] string? IdPrefix = null,
    [property: Id(1)] Presence? Presence = null,
    [property: Id(2)] PinFilter? Pin = null)
{
    /// <summary>Returns whether <paramref name="device"/> passes every part of this filter that is not <see langword="null"/>.</summary>
    public bool Matches(DeviceSnapshot device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return (IdPrefix is null || device.DeviceId.StartsWith(IdPrefix, StringComparison.Ordinal))
            && (Presence is null || Presence == device.Presence.State)
            && (Pin is null || device.Pins.Any(Pin.Matches));
    }
}
