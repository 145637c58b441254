namespace MqttDeviceCluster.Fleet;

/// <summary>A watch.</summary>
/// <param name="WatchId">Its id, chosen by the watcher.</param>
/// <param name="Observer">Where its events go.</param>
/// <param name="Options">What it is told.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WatchRegistration")]
public sealed record WatchRegistration(
    [property: Id(0)] Guid WatchId,
    [property: Id(1)] IFleetObserver Observer,
    [property: Id(2)] WatchOptions Options)
{
    /// <summary>Gets whether the watch began before: a silo that does not know it begins with a gap.</summary>
    [Id(3)]
    public bool IsRenewal { get; init; }
}
