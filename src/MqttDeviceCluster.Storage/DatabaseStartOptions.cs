namespace MqttDeviceCluster.Storage;

/// <summary>What a silo that starts does when a database is away.</summary>
public sealed class DatabaseStartOptions
{
    /// <summary>
    /// Gets or sets how long a start waits for databases that are away (do not answer, are starting, have too many connections), all of them together. A password that is wrong, or tables
    /// that cannot be made, stop the start at once all the same. The default is 0: a database that is away does too.
    /// </summary>
    public TimeSpan MaxWait { get; set; }
}
