using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>What is known of a command that was carried out.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="CommandId">The command's id, which travels as MQTT correlation data and through traces and logs.</param>
/// <param name="Updates">
/// The updates that confirmed it, in the order of the asked pins; empty for <see cref="MqttDeviceCluster.Evidence.Published"/>.
/// </param>
/// <param name="Evidence">How it is known.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.CommandResult")]
public sealed record CommandResult(
    [property: Id(0)] string DeviceId,
    [property: Id(1)] Guid CommandId,
    [property: Id(2)] ImmutableArray<PinUpdate> Updates,
    [property: Id(3)] Evidence Evidence);
