namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>Where the measured service stores its devices.</summary>
internal enum StorageKind
{
    /// <summary>Our own SQLite store with group commit, synced at each commit: the silo's default.</summary>
    Sqlite = 0,

    /// <summary>Orleans' memory storage: shows what durability costs, and promises nothing.</summary>
    Memory = 1,

    /// <summary>Our own PostgreSQL store with group commit, on a server of our own with <c>fsync</c>.</summary>
    Postgres = 2,

    /// <summary>Orleans' Redis storage, on a server of our own that appends each write to its file.</summary>
    Redis = 3,
}

/// <summary>Where the caller of the measured service is.</summary>
internal enum ClientKind
{
    /// <summary>In the silo's process, as a grain or a controller of it.</summary>
    Silo = 0,

    /// <summary>An Orleans client in a process of its own.</summary>
    Process = 1,
}

/// <summary>What is measured.</summary>
internal sealed record CompareOptions
{
    /// <summary>Gets how many devices take commands.</summary>
    public required int Devices { get; init; }

    /// <summary>Gets how many devices send updates on their own.</summary>
    public required int Reporters { get; init; }

    /// <summary>Gets how many commands are in flight, to as many different devices.</summary>
    public required int InFlight { get; init; }

    /// <summary>Gets how long one turn is measured.</summary>
    public required TimeSpan Turn { get; init; }

    /// <summary>Gets how many turns each contender has per row.</summary>
    public required int Rounds { get; init; }

    public required StorageKind Storage { get; init; }

    public required ClientKind Client { get; init; }

    /// <summary>Gets a broker that is there, or <see langword="null"/> to start one.</summary>
    public required Uri? Broker { get; init; }

    /// <summary>Gets which rows to measure; empty for all.</summary>
    public required IReadOnlyList<string> Rows { get; init; }

    /// <summary>Gets whether to show which types the service allocates.</summary>
    public required bool Allocations { get; init; }

    /// <summary>Gets further settings of the silo, as <c>Key:Name=value</c>.</summary>
    public required IReadOnlyList<string> SiloSettings { get; init; }
}
