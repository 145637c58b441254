using System.Collections.Immutable;

namespace MqttDeviceCluster.Fleet;

/// <summary>Events of one silo, in order.</summary>
/// <param name="Source">The silo's part in the watch.</param>
/// <param name="First">
/// The number of the first event. A subscription's events are numbered from 0, those that were dropped included: a jump is a gap, and a number that
/// was seen is a repetition.
/// </param>
/// <param name="Events">The events.</param>
/// <param name="Leaving">Whether the silo is stopping, and this is its last batch.</param>
/// <param name="LostSilos">The names of silos that died since the last batch.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WatchBatch")]
public sealed record WatchBatch(
    [property: Id(0)] WatchSource Source,
    [property: Id(1)] long First,
    [property: Id(2)] ImmutableArray<DeviceEvent> Events,
    [property: Id(3)] bool Leaving,
    [property: Id(4)] ImmutableArray<string> LostSilos);
