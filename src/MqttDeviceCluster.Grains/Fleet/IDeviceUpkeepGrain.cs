using Orleans.Concurrency;

namespace MqttDeviceCluster;

/// <summary>What the cluster itself asks of a device's grain.</summary>
[Alias("MqttDeviceCluster.IDeviceUpkeepGrain")]
internal interface IDeviceUpkeepGrain : IGrainWithStringKey
{
    /// <summary>Marks the device as offline if it has been silent for too long. The grain looks for itself: the caller's knowledge may be old.</summary>
    [Alias("NoteSilenceAsync"), AlwaysInterleave]
    Task NoteSilenceAsync();
}
