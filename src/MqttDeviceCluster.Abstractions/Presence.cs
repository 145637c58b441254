namespace MqttDeviceCluster;

/// <summary>Whether a device is there.</summary>
public enum Presence
{
    /// <summary>Nothing that the device sent says so: it was never heard of, or only its retained updates were.</summary>
    Unknown = 0,

    /// <summary>It said so, or it sent something, and nothing since then says otherwise.</summary>
    Online = 1,

    /// <summary>Its last will or its goodbye said so, or it was silent for too long.</summary>
    Offline = 2,
}
