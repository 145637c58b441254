namespace MqttDeviceCluster;

/// <summary>Why events are missing from a watch.</summary>
public enum GapReason
{
    /// <summary>The watcher, or its network, was slower than the devices, and its buffer was full.</summary>
    SlowWatcher = 0,

    /// <summary>A silo was lost, with what it had not told yet.</summary>
    SiloLost = 1,

    /// <summary>A silo joined, and had news before it heard of the watch.</summary>
    SiloJoined = 2,

    /// <summary>The watcher and the cluster had lost each other for a while.</summary>
    Reconnected = 3,

    /// <summary>The activation of one device ended before its news could be told.</summary>
    DeviceInterrupted = 4,

    /// <summary>An event of a kind that the watcher's version, or that of the silo it is connected to, does not know.</summary>
    UnknownEvent = 5,
}
