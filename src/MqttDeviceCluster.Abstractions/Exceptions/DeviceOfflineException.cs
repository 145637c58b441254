namespace MqttDeviceCluster;

/// <summary>No one at the broker is subscribed to the device's commands: it is certainly not connected, and nothing happened.</summary>
[GenerateSerializer, Alias("MqttDeviceCluster.DeviceOfflineException")]
public sealed class DeviceOfflineException : DeviceClusterException
{
    /// <summary>Creates the exception.</summary>
    public DeviceOfflineException(string deviceId)
        : base(deviceId, $"Device '{deviceId}' is offline: the broker knows no subscriber for its commands. Nothing happened.")
    {
    }
}
