namespace MqttDeviceCluster;

/// <summary>Bounds and habits of the device grains of a silo.</summary>
public sealed class DeviceOptions
{
    /// <summary>
    /// Gets or sets how many commands may wait in one device's line, beside the one that runs. Default 64; range 1 to 65536. A
    /// command that finds the line full ends with <see cref="DeviceBusyException"/> at once.
    /// </summary>
    public int MaxWaitingCommands { get; set; } = 64;

    /// <summary>
    /// Gets or sets how many <see cref="IDeviceGrain.WaitForAsync"/> calls may wait on one device. Default 64; range 1 to
    /// 65536. One more ends with <see cref="DeviceBusyException"/> at once.
    /// </summary>
    public int MaxConcurrentWaits { get; set; } = 64;

    /// <summary>
    /// Gets or sets how many different pins of one device are kept. Default 1024; range 1 to 65536. What a device says of further
    /// pins is refused, logged and counted, so that a rogue device cannot grow its record for ever.
    /// </summary>
    public int MaxPins { get; set; } = 1024;

    /// <summary>
    /// Gets or sets how far the stored time a device was last seen may fall behind. Default 5 minutes; range 1 second to 1 day.
    /// </summary>
    /// <remarks>
    /// A report that changes nothing else is written only when this much has passed since the last write, and when the grain is
    /// deactivated. Changed pins are always written before their update is acknowledged.
    /// </remarks>
    public TimeSpan LastSeenWriteInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Gets or sets how many <see cref="IDeviceGrain.WatchAsync"/> enumerations may be open on one device. Default 64; range 1 to 65536. One more ends with
    /// <see cref="DeviceBusyException"/>.
    /// </summary>
    public int MaxConcurrentWatches { get; set; } = 64;

    /// <summary>
    /// Gets or sets how long a device that offers no status may send nothing before it counts as offline, noticed up to a quarter of that later. Default 1 hour; range 1 second to
    /// 365 days, or <see langword="null"/> for never. The same on every silo.
    /// </summary>
    /// <remarks>
    /// The time counts only while the cluster hears what devices send: after an outage of its own it starts anew, and as long as it takes to notice one
    /// (<see cref="IDeviceIntake.OutageDetectionTime"/>) is waited on top. A device with a status topic is not affected: its
    /// last will says when it goes.
    /// </remarks>
    public TimeSpan? OfflineAfterSilence { get; set; } = TimeSpan.FromHours(1);
}
