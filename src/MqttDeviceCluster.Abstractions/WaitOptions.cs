namespace MqttDeviceCluster;

/// <summary>How a wait for updates matches and ends.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WaitOptions")]
public sealed record WaitOptions
{
    /// <summary>The default of <see cref="Timeout"/>: 30 seconds.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Gets how long to wait. More than zero and at most an hour; default 30 seconds.</summary>
    [Id(0)]
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>
    /// Gets whether every filter must be matched within one update. Default <see langword="false"/>: across several.
    /// </summary>
    [Id(1)]
    public bool InOneUpdate { get; init; }

    /// <summary>
    /// Gets whether what the cluster already holds counts as the first update. Default <see langword="false"/>: only
    /// updates that arrive after the call match.
    /// </summary>
    [Id(2)]
    public bool IncludeCurrent { get; init; }
}
