namespace MqttDeviceCluster;

/// <summary>
/// The device is not there, and nothing happened: no one at the broker is subscribed to its commands, or it is known to be offline and the caller
/// asked for <see cref="WhenOffline.Fail"/>.
/// </summary>
[GenerateSerializer, Alias("MqttDeviceCluster.DeviceOfflineException")]
public sealed class DeviceOfflineException : DeviceClusterException
{
    /// <summary>Creates the exception for a device that no subscriber stands for.</summary>
    public DeviceOfflineException(string deviceId)
        : base(deviceId, $"Device '{deviceId}' is offline: the broker knows no subscriber for its commands. Nothing happened.")
    {
    }

    /// <summary>Creates the exception for a device that is known to be offline.</summary>
    public DeviceOfflineException(string deviceId, DevicePresence presence)
        : base(deviceId, $"Device '{deviceId}' is offline {Describe(presence)}. Nothing was sent.") => Presence = presence;

    /// <summary>Gets what is known of the device's presence, when that was the reason.</summary>
    [Id(0)]
    public DevicePresence? Presence { get; private set; }

    private static string Describe(DevicePresence presence)
    {
        ArgumentNullException.ThrowIfNull(presence);
        var how = presence.Reason == PresenceReason.Silence ? "by its silence" : "by its last will";
        return presence.Since is { } since ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{how}, since {since:u}") : how;
    }
}
