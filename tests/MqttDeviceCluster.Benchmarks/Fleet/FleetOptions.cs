namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>What is measured.</summary>
internal sealed record FleetOptions
{
    /// <summary>Gets how many devices the large fleet has.</summary>
    public required int Devices { get; init; }

    /// <summary>Gets how many devices the directory holds.</summary>
    public required int Stored { get; init; }

    /// <summary>Gets how many devices are in memory.</summary>
    public required int Warm { get; init; }

    public required int InFlight { get; init; }

    public required TimeSpan Turn { get; init; }

    public required int Rounds { get; init; }

    /// <summary>Gets which rows to measure; empty for all.</summary>
    public required IReadOnlyList<string> Rows { get; init; }
}
