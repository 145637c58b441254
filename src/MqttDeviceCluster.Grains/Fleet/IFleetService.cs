using System.Collections.Immutable;
using MqttDeviceCluster.Fleet;
using Orleans.Concurrency;
using Orleans.Services;

namespace MqttDeviceCluster;

/// <summary>One silo's part in the fleet, for the other silos.</summary>
[Alias("MqttDeviceCluster.IFleetService")]
internal interface IFleetService : IGrainService
{
    /// <summary>Begins or renews a watch on this silo.</summary>
    /// <param name="registration">The watch.</param>
    /// <param name="isLate">Whether it began before this silo could hear of it.</param>
    [Alias("WatchAsync"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<WatchSource> WatchAsync(WatchRegistration registration, bool isLate);

    /// <summary>Ends a watch on this silo.</summary>
    [Alias("UnwatchAsync"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task UnwatchAsync(Guid watchId);

    /// <summary>Sends a batch of another silo to the watcher. Returns whether this silo knows the watch.</summary>
    [Alias("RelayAsync"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<bool> RelayAsync(Guid watchId, WatchBatch batch);

    /// <summary>Returns the watches that this silo knows, for one that has just started.</summary>
    [Alias("GetWatchesAsync"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<ImmutableArray<WatchRegistration>> GetWatchesAsync();

    /// <summary>Returns those of the devices that this silo has in memory.</summary>
    [Alias("GetActiveAsync"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task<ImmutableArray<DeviceSnapshot>> GetActiveAsync(ImmutableArray<string> deviceIds);

    /// <summary>Returns the first devices, by id, that this silo has in memory and that come after an id.</summary>
    [Alias("GetActiveAfterAsync"), AlwaysInterleave, ResponseTimeout("00:00:10")]
    Task<ImmutableArray<DeviceSnapshot>> GetActiveAfterAsync(string? deviceId, string? idPrefix, int maxDevices);

    /// <summary>Hears whether another silo listens to the devices, and since when.</summary>
    [Alias("NoteIntakeAsync"), AlwaysInterleave, ResponseTimeout("00:00:05")]
    Task NoteIntakeAsync(SiloAddress silo, bool isThere, DateTimeOffset? since);

    /// <summary>Returns whether this silo's store of device states fails.</summary>
    [Alias("IsStoreFailingAsync"), AlwaysInterleave, ResponseTimeout("00:00:02")]
    Task<bool> IsStoreFailingAsync();
}
