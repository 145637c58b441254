using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>The names of the host's meter and instruments, and the meters of everything that it runs.</summary>
internal static class SiloInstruments
{
    /// <summary>The host's own meter.</summary>
    public const string MeterName = "MqttDeviceCluster.Silo";

    /// <summary>Counter, <c>{pause}</c>: how often the process did not run for so long that the cluster may have declared it dead.</summary>
    public const string Pauses = "mdc.silo.pauses";

    /// <summary>Counter, <c>{silo}</c>: other silos that this one saw declared dead without having left. Each loss is counted by every silo that is left.</summary>
    public const string Losses = "mdc.silo.losses";

    /// <summary>
    /// Gauge, <c>{silo}</c>: 1 while this silo holds updates back, 0 otherwise, by <see cref="HoldReasonTag"/>. They wait at the broker.
    /// </summary>
    public const string Holding = "mdc.silo.holding";

    /// <summary>Gauge, <c>By</c>: the most that the managed heap may take. An <c>OutOfMemoryException</c> comes before the container's own limit does.</summary>
    public const string HeapLimit = "mdc.silo.heap.limit";

    /// <summary><c>store</c>: the store fails; <c>fence</c>: the silo was paused, or was declared dead while it was.</summary>
    public const string HoldReasonTag = "mdc.silo.hold.reason";

    /// <summary>The meters of this service, for <c>AddMeter</c>. Those of Orleans are chosen by <see cref="OrleansMeter"/>.</summary>
    public static IReadOnlyList<string> Meters { get; } =
        [MeterName, DeviceInstruments.MeterName, MqttStreamMetrics.MeterName, GrainStorageTelemetry.MeterName];
}
