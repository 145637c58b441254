namespace MqttDeviceCluster;

/// <summary>The fleet could not be read, or a device not be forgotten: the store failed, and nothing was changed. The message says more; try again later.</summary>
[GenerateSerializer, Alias("MqttDeviceCluster.FleetUnavailableException")]
public sealed class FleetUnavailableException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">Why, as a sentence.</param>
    public FleetUnavailableException(string reason)
        : base(reason)
    {
    }
}
