using System.Collections.Immutable;

namespace MqttDeviceCluster.Streams;

/// <summary>A command on its way to a device.</summary>
/// <param name="CommandId">The command's id.</param>
/// <param name="Deadline">When its caller gives up (UTC); after that it must not reach the device.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceCommand")]
public abstract record DeviceCommand(
    [property: Id(0)] Guid CommandId,
    [property: Id(1)] DateTimeOffset Deadline);

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
