using Orleans.Storage;

namespace MqttDeviceCluster.Storage;

/// <summary>Options of one PostgreSQL grain storage provider, named like the provider.</summary>
public sealed class PostgreSqlGrainStorageOptions : IStorageProviderSerializerOptions
{
    /// <summary>
    /// Gets or sets the connection string of Npgsql, with a host and a database whose encoding is UTF8. Required. <c>Search Path</c> chooses the schema.
    /// </summary>
    /// <remarks>
    /// How connections are pooled and reset is for the provider to decide: it has a pool of its own, with <see cref="ReadConnections"/> and two more. The string may be
    /// shared with other users. Unless it says otherwise, a statement may take 10 s.
    /// </remarks>
    [Redact]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// Gets or sets what turns state into bytes and back. Default: the <see cref="IGrainStorageSerializer"/> that is registered under the
    /// provider's name, otherwise System.Text.Json without type names.
    /// </summary>
    public IGrainStorageSerializer GrainStorageSerializer { get; set; } = null!;

    /// <summary>Gets or sets how many writes and clears may be queued. Default 4096; range 1 to 1,000,000. One more waits for a place.</summary>
    public int MaxPendingOperations { get; set; } = 4096;

    /// <summary>Gets or sets how many writes and clears share a commit at most. Default 512; range 1 to 10,000.</summary>
    public int MaxBatchSize { get; set; } = 512;

    /// <summary>Gets or sets how many reads run at once, each on a connection of its own. Default 8; range 1 to 64. One more waits.</summary>
    public int ReadConnections { get; set; } = 8;

    /// <summary>Gets what was wrong in the configuration section, for the validator to report with everything else.</summary>
    internal List<string> ConfigurationProblems { get; } = [];
}
