namespace MqttDeviceCluster;

/// <summary>The fleet could not be read: its store does not answer. The message says why; try again later.</summary>
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
