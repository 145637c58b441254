namespace MqttDeviceCluster;

/// <summary>How a command is sent and what confirms it.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.CommandOptions")]
public sealed record CommandOptions
{
    /// <summary>The default of <see cref="Timeout"/>: 5 seconds.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The greatest <see cref="Timeout"/>: 1 hour.</summary>
    public static readonly TimeSpan MaxTimeout = TimeSpan.FromHours(1);

    /// <summary>How far the clocks of caller and silo may differ before <see cref="Deadline"/> ends a command too early: 2.5 seconds.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(2.5);

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

    /// <summary>
    /// Gets when the caller gives up, by the clock of its machine: a command that is held up on its way to the device's grain, by a network that was cut or a store that is slow,
    /// is not sent after it. Default <see langword="null"/>: <see cref="Timeout"/> alone counts, from the moment in which the call arrives. <c>IDeviceCluster</c> sets it.
    /// </summary>
    /// <remarks>
    /// Clocks are taken to agree within <see cref="ClockTolerance"/>. From a caller whose clock is further behind that of the silo no command is sent: each ends with
    /// <see cref="DeviceTimeoutException"/> at once, which says how old it seemed to be.
    /// </remarks>
    [Id(4)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>
    /// Gets the command's id, which is in its result, in logs and traces, and goes to the device in the Correlation Data. Default <see langword="null"/>: the grain makes one.
    /// </summary>
    /// <remarks>
    /// One id is one command: a call with an id that the device's grain has, and that was or may have been published, publishes nothing. It gets the result of the one that runs, or
    /// <see cref="DeviceInterruptedException"/> with <c>Published</c> true after that. The grain knows the ids of the last 1,024 commands,
    /// each for as long as a call with it could still come in time, and none after it has moved to another silo. <c>IDeviceCluster</c> makes one for each call, so that no call that the network delivers twice is two commands. It must not be empty (all zero).
    /// </remarks>
    [Id(5)]
    public Guid? CommandId { get; init; }
}
