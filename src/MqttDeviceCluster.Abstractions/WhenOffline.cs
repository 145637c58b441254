namespace MqttDeviceCluster;

/// <summary>What happens to a command for a device that is known to be offline.</summary>
public enum WhenOffline
{
    /// <summary>It is sent all the same: the broker knows best, and presence may lag behind.</summary>
    Send = 0,

    /// <summary>It ends with <see cref="DeviceOfflineException"/> at once, and nothing is sent.</summary>
    Fail = 1,
}
