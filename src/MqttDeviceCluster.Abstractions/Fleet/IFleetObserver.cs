namespace MqttDeviceCluster.Fleet;

/// <summary>Where the silos send a watch's events.</summary>
[Alias("MqttDeviceCluster.IFleetObserver")]
public interface IFleetObserver : IGrainObserver
{
    /// <summary>Takes a batch. A silo sends its next one when this has returned, and the same one again when it failed.</summary>
    /// <param name="batch">The batch.</param>
    [Alias("OnEventsAsync"), ResponseTimeout("00:00:10")]
    Task OnEventsAsync(WatchBatch batch);
}
