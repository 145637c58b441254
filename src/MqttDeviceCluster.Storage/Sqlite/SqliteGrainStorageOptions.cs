using Orleans.Storage;

namespace MqttDeviceCluster.Storage;

/// <summary>Options of one SQLite grain storage provider, named like the provider.</summary>
public sealed class SqliteGrainStorageOptions : IStorageProviderSerializerOptions
{
    /// <summary>
    /// Gets or sets the path of the database file; a relative one starts at the current directory. The file and its directory are created. Either this or
    /// <see cref="ConnectionString"/> is required. It must be on a local disk: write-ahead logging does not work over a network.
    /// </summary>
    public string? DataSource { get; set; }

    /// <summary>Gets or sets a connection string of Microsoft.Data.Sqlite with a <c>Data Source</c>, instead of <see cref="DataSource"/>.</summary>
    /// <remarks>How the file is opened, pooled and shared is for the provider to decide: <c>Mode</c>, <c>Cache</c> and <c>Pooling</c> are refused.</remarks>
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

    /// <summary>Gets or sets how many reads run at once, each on a thread and connection of its own. Default 2; range 1 to 64.</summary>
    public int ReadConnections { get; set; } = 2;

    /// <summary>
    /// Gets or sets how long a commit waits while another process holds the file, before it fails. Default 2 s; zero to 1 minute.
    /// </summary>
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Gets what was wrong in the configuration section, for the validator to report with everything else.</summary>
    internal List<string> ConfigurationProblems { get; } = [];
}
