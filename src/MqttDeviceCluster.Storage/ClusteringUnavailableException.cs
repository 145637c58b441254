namespace MqttDeviceCluster.Storage;

/// <summary>The silo cannot join its cluster: where the members are kept cannot be used. Thrown at the start, for its operator.</summary>
public sealed class ClusteringUnavailableException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Where the members are kept and why that cannot be used, in one sentence without secrets.</param>
    /// <param name="innerException">The cause.</param>
    public ClusteringUnavailableException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
