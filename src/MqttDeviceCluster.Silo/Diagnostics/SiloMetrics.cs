using System.Diagnostics.Metrics;
using MqttDeviceCluster.Silo.Health;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>The host's instruments. A hosted service, so that they are there from the start.</summary>
internal sealed class SiloMetrics : IHostedService
{
    public SiloMetrics(IMeterFactory meters, PauseFence fence, DeliveryGate gate, SiloLosses losses)
    {
        var meter = meters.Create(SiloInstruments.MeterName);
        meter.CreateObservableCounter(
            SiloInstruments.Pauses, () => fence.Pauses, "{pause}", "Times that the process did not run for so long that the cluster may have declared it dead.");
        meter.CreateObservableCounter(SiloInstruments.Losses, () => losses.Count, "{silo}", "Other silos that were declared dead without having left.");
        meter.CreateObservableGauge(
            SiloInstruments.Holding,
            () => new[] { Measure("store", gate.StoreFails), Measure("fence", fence.IsClosed) },
            "{silo}",
            "1 while this silo holds updates back, by reason. They wait at the broker.");
        meter.CreateObservableGauge(SiloInstruments.HeapLimit, static () => MemoryService.HeapLimit, "By", "The most that the managed heap may take.");
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static Measurement<int> Measure(string reason, bool holds) => new(holds ? 1 : 0, new KeyValuePair<string, object?>(SiloInstruments.HoldReasonTag, reason));
}
