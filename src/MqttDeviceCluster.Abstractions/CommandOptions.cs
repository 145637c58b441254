namespace MqttDeviceCluster;

/// <summary>How a command is sent and what confirms it.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.CommandOptions")]
public sealed record CommandOptions
{
    /// <summary>The default of <see cref="Timeout"/>: 5 seconds.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The greatest <see cref="Timeout"/>: 1 hour.</summary>
    public static readonly TimeSpan MaxTimeout = TimeSpan.FromHours(1);

    /// <summary>
    /// Gets how long the whole command may take, the wait in line included. More than zero and at most an hour; default
    /// 5 seconds.
    /// </summary>
    /// <remarks>
    /// The command expires at the broker with it, in whole seconds and after at least one: a device that returns after that
    /// never sees the command.
    /// </remarks>
    [Id(0)]
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>
    /// Gets whether the call waits until the device confirms. Default <see langword="true"/>. Without it the call returns
    /// as soon as the broker took the command, with <see cref="Evidence.Published"/>.
    /// </summary>
    [Id(1)]
    public bool Confirm { get; init; } = true;

    /// <summary>Gets which edge confirms a pulse. Default <see cref="PulseEdge.First"/>; pins without a pulse ignore it.</summary>
    [Id(2)]
    public PulseEdge PulseConfirmedBy { get; init; } = PulseEdge.First;

    /// <summary>
    /// Gets what happens when the device is known to be offline (see <see cref="DevicePresence"/>) when its turn comes. Default <see cref="WhenOffline.Send"/>.
    /// </summary>
    [Id(3)]
    public WhenOffline WhenOffline { get; init; } = WhenOffline.Send;
}
