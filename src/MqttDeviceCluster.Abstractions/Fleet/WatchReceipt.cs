using System.Collections.Immutable;

namespace MqttDeviceCluster.Fleet;

/// <summary>Which silos know a watch.</summary>
/// <param name="Sources">Those that answered.</param>
/// <param name="Unreachable">The names of those that are members of the cluster and did not answer.</param>
/// <param name="Leaving">The names of those that are about to stop: they still tell what they have, and take no new watches.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WatchReceipt")]
public sealed record WatchReceipt(
    [property: Id(0)] ImmutableArray<WatchSource> Sources,
    [property: Id(1)] ImmutableArray<string> Unreachable,
    [property: Id(2)] ImmutableArray<string> Leaving);

/// <summary>One silo's part in a watch.</summary>
/// <param name="Silo">The silo's name: its address and the time it started.</param>
/// <param name="SubscriptionId">A new one each time the silo hears of the watch for the first time, which starts its numbers over.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WatchSource")]
public sealed record WatchSource([property: Id(0)] string Silo, [property: Id(1)] Guid SubscriptionId);
