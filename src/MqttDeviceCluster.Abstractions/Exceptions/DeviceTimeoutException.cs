using System.Collections.Immutable;
using System.Globalization;

namespace MqttDeviceCluster;

/// <summary>
/// The device did not confirm in time. Whether the command took effect is unknown, unless <see cref="Published"/> is
/// <see langword="false"/>.
/// </summary>
[GenerateSerializer, Alias("MqttDeviceCluster.DeviceTimeoutException")]
public sealed class DeviceTimeoutException : TimeoutException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="deviceId">The device.</param>
    /// <param name="waited">How long the call waited.</param>
    /// <param name="missingPins">The pins that were not confirmed; empty when any update would have done.</param>
    /// <param name="published">Whether the command was, or may have been, given to the broker.</param>
    public DeviceTimeoutException(string deviceId, TimeSpan waited, ImmutableArray<int> missingPins, bool published)
        : base(CreateMessage(deviceId, waited, missingPins, published))
    {
        DeviceId = deviceId;
        Waited = waited;
        MissingPins = missingPins;
        Published = published;
    }

    /// <summary>Gets the device.</summary>
    [Id(0)]
    public string DeviceId { get; private set; }

    /// <summary>Gets how long the call waited.</summary>
    [Id(1)]
    public TimeSpan Waited { get; private set; }

    /// <summary>Gets the pins that were not confirmed; empty when any update would have done.</summary>
    [Id(2)]
    public ImmutableArray<int> MissingPins { get; private set; }

    /// <summary>
    /// Gets whether the command was, or may have been, given to the broker. When <see langword="false"/> its time ran out in line,
    /// or on its way to the device's grain (see <see cref="CommandOptions.Deadline"/>), and it never will be.
    /// </summary>
    [Id(3)]
    public bool Published { get; private set; }

    private static string CreateMessage(string deviceId, TimeSpan waited, ImmutableArray<int> missingPins, bool published)
    {
        var seconds = waited.TotalSeconds.ToString("0.##", CultureInfo.InvariantCulture);
        if (!published)
        {
            return $"The time of the command to device '{deviceId}' ran out after {seconds} s, before it was sent. Nothing happened.";
        }

        var missing = missingPins.IsDefaultOrEmpty ? "" : $" {(missingPins.Length == 1 ? "pin" : "pins")} {string.Join(", ", missingPins)}";
        return $"Device '{deviceId}' did not confirm{missing} within {seconds} s.";
    }
}
