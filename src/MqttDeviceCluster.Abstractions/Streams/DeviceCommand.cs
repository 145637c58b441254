using System.Collections.Immutable;
using System.Diagnostics;

namespace MqttDeviceCluster.Streams;

/// <summary>A command on its way to a device.</summary>
/// <param name="CommandId">The command's id.</param>
/// <param name="Deadline">
/// The end of the caller's timeout (UTC); after that it must not reach the device. A caller that waits for the way back of a
/// pulse waits longer than this, by the pulse.
/// </param>
/// <remarks>
/// <para>What <c>OnNextAsync</c> may throw, and how the device grain reads it: <see cref="DeviceOfflineException"/> and
/// <see cref="BrokerUnavailableException"/> say that the device never saw the command and pass to the caller as they are.
/// <see cref="DeviceInterruptedException"/> says that it is not known (written, but the connection ended before the broker
/// answered): the grain goes on waiting for the confirmation, or hands it to the caller when no confirmation was asked for.
/// Anything else is logged in the silo and reaches the caller as <see cref="DeviceInterruptedException"/>.</para>
/// <para>A command that was <see cref="Withdrawn"/> before it was sent fails with <see cref="BrokerUnavailableException"/>. When it does so within
/// 100 ms, the caller's timeout says that nothing was published.</para>
/// <para>A task that succeeds means that the broker took the command.</para>
/// </remarks>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceCommand")]
public abstract record DeviceCommand(
    [property: Id(0)] Guid CommandId,
    [property: Id(1)] DateTimeOffset Deadline)
{
    /// <summary>
    /// Gets a token that is cancelled when the caller has given up: a command that still waits to be sent must then not be sent.
    /// </summary>
    /// <remarks>It stays in the process that publishes and is never serialized: elsewhere it is <see cref="CancellationToken.None"/>.</remarks>
    [field: NonSerialized]
    public CancellationToken Withdrawn { get; init; }

    /// <summary>
    /// Gets what to call right before the command is written to the broker. Until then an update confirms it by its echo only: the device cannot have seen it. Returns at
    /// once and does not throw. A provider that does not call it leaves that to the end of <c>OnNextAsync</c>, and loses the confirmation of a device that answers before.
    /// </summary>
    /// <remarks>It stays in the process that publishes and is never serialized: elsewhere it is <see langword="null"/>.</remarks>
    [field: NonSerialized]
    public Action? Sending { get; init; }

    /// <summary>
    /// Gets what to call with the span under which the command is published, before it is sent, when there is such a span: the update that confirms the command belongs to its
    /// trace. Returns at once and does not throw.
    /// </summary>
    /// <remarks>It stays in the process that publishes and is never serialized: elsewhere it is <see langword="null"/>.</remarks>
    [field: NonSerialized]
    public Action<Activity>? Traced { get; init; }
}

/// <summary>Puts pins into modes.</summary>
/// <param name="CommandId">The command's id.</param>
/// <param name="Deadline">When its caller gives up (UTC).</param>
/// <param name="Pins">The pins.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.ConfigPinsCommand")]
public sealed record ConfigPinsCommand(Guid CommandId, DateTimeOffset Deadline, [property: Id(0)] ImmutableArray<ConfigPin> Pins)
    : DeviceCommand(CommandId, Deadline);

/// <summary>Puts pins into states.</summary>
/// <param name="CommandId">The command's id.</param>
/// <param name="Deadline">When its caller gives up (UTC).</param>
/// <param name="Pins">The pins.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.SetPinsCommand")]
public sealed record SetPinsCommand(Guid CommandId, DateTimeOffset Deadline, [property: Id(0)] ImmutableArray<SetPin> Pins)
    : DeviceCommand(CommandId, Deadline);

/// <summary>Asks for pins.</summary>
/// <param name="CommandId">The command's id.</param>
/// <param name="Deadline">When its caller gives up (UTC).</param>
/// <param name="Pins">The pins; empty asks for all.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.UpdateCommand")]
public sealed record UpdateCommand(Guid CommandId, DateTimeOffset Deadline, [property: Id(0)] ImmutableArray<int> Pins)
    : DeviceCommand(CommandId, Deadline);
