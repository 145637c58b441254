namespace MqttDeviceCluster;

/// <summary>The first event of a watch over the cluster: every silo has heard of it, and what happens from here on is told.</summary>
/// <param name="At">When the last silo had answered (UTC).</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.WatchStartedEvent")]
public sealed record WatchStartedEvent(DateTimeOffset At) : DeviceEvent(null, At);
