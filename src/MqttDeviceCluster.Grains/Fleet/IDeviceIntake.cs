namespace MqttDeviceCluster;

/// <summary>
/// Whether this silo hears what devices send. A host registers one as a singleton, so that a device's silence counts only while somebody listens; without one the cluster
/// counts as listening since the silo started.
/// </summary>
public interface IDeviceIntake
{
    /// <summary>Gets whether it is this silo's part to listen at the moment.</summary>
    bool IsHere { get; }

    /// <summary>Gets since when it listens without a break (UTC), or <see langword="null"/> while it does not.</summary>
    DateTimeOffset? ListeningSince { get; }

    /// <summary>
    /// Gets how long it may take to notice that it no longer listens: a device's silence is only believed when that much more has passed. The same on every silo.
    /// </summary>
    TimeSpan OutageDetectionTime { get; }
}
