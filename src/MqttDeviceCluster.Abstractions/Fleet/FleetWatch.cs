namespace MqttDeviceCluster.Fleet;

/// <summary>How long a watch lives without its watcher.</summary>
public static class FleetWatch
{
    /// <summary>How long a silo keeps a watch that is not renewed.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    /// <summary>How often a watcher renews.</summary>
    public static readonly TimeSpan RenewInterval = TimeSpan.FromSeconds(5);
}
