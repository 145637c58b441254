namespace MqttDeviceCluster;

/// <summary>How a <see cref="Presence"/> is known.</summary>
public enum PresenceReason
{
    /// <summary>It is not known.</summary>
    None = 0,

    /// <summary>The device's status topic said that it is online: its birth message.</summary>
    Birth = 1,

    /// <summary>The device sent an update.</summary>
    Traffic = 2,

    /// <summary>The device's status topic said that it is offline: its last will, or a goodbye of its own.</summary>
    LastWill = 3,

    /// <summary>
    /// The device has no status topic and sent nothing for longer than the cluster's limit, during which the cluster was connected to the broker.
    /// </summary>
    Silence = 4,
}
