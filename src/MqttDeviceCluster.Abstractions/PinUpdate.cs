using System.Globalization;

namespace MqttDeviceCluster;

/// <summary>What a device last said of one of its pins.</summary>
/// <param name="Pin">The pin.</param>
/// <param name="Mode">The mode, or <see langword="null"/> when the device never named one.</param>
/// <param name="State">The state, or <see langword="null"/> when the device never named one.</param>
/// <param name="ReceivedAt">When the update reached the cluster (UTC). The device's own clock is not known.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.PinUpdate")]
public sealed record PinUpdate(
    [property: Id(0)] int Pin,
    [property: Id(1)] PinMode? Mode,
    [property: Id(2)] PinState? State,
    [property: Id(3)] DateTimeOffset ReceivedAt)
{
    /// <summary>Returns the update in the form <c>13=High (Output)</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Pin}={State?.ToString() ?? "unknown"} ({Mode?.ToString() ?? "unknown"})");
}
