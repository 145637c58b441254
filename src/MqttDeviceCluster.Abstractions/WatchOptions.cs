namespace MqttDeviceCluster;

/// <summary>What a watch over the cluster is told, and how much it may fall behind.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WatchOptions")]
public sealed record WatchOptions
{
    /// <summary>The default of <see cref="BufferSize"/>.</summary>
    public const int DefaultBufferSize = 4096;

    /// <summary>The greatest <see cref="BufferSize"/>.</summary>
    public const int MaxBufferSize = 65536;

    /// <summary>Gets which pin updates are told. Default <see langword="null"/>: those of every pin.</summary>
    [Id(0)]
    public PinFilter? Pins { get; init; }

    /// <summary>Gets how the ids of the watched devices begin, compared byte by byte. Default <see langword="null"/>: every device.</summary>
    [Id(1)]
    public string? DeviceIdPrefix { get; init; }

    /// <summary>Gets the one device to watch. Default <see langword="null"/>: every device.</summary>
    [Id(2)]
    public string? DeviceId { get; init; }

    /// <summary>
    /// Gets whether <see cref="PresenceEvent"/>, <see cref="DeviceAddedEvent"/> and <see cref="DeviceForgottenEvent"/> are told. Default <see langword="true"/>.
    /// </summary>
    [Id(3)]
    public bool IncludePresence { get; init; } = true;

    /// <summary>
    /// Gets whether pin updates that changed neither mode nor state are told too. Default <see langword="false"/>. The last message of a
    /// device, when the broker sends it twice, is one of those. See <see cref="PinEvent.Redelivered"/> for older ones.
    /// </summary>
    [Id(4)]
    public bool IncludeUnchanged { get; init; }

    /// <summary>
    /// Gets how many events may wait, at each silo and at the watcher. Default 4096; range 1 to 65536. More are dropped and told as one
    /// <see cref="GapEvent"/>: a slow watcher costs itself, never a device.
    /// </summary>
    [Id(5)]
    public int BufferSize { get; init; } = DefaultBufferSize;
}
