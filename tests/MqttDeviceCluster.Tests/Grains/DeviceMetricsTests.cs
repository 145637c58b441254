using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class DeviceMetricsTests
{
    public static TheoryData<string, Exception> Failures => new()
    {
        { "timeout", new DeviceTimeoutException("d", TimeSpan.Zero, [], true) },
        { "busy", new DeviceBusyException("d", 64) },
        { "offline", new DeviceOfflineException("d") },
        { "broker_unavailable", new BrokerUnavailableException("d", "away", false) },
        { "interrupted", new DeviceInterruptedException("d", "stopping", false) },
        { "cancelled", new OperationCanceledException() },
        { "invalid", new ArgumentException("bad") },
        { "error", new IOException() },
    };

    [Theory, MemberData(nameof(Failures))]
    public async Task MeasureAsync_CallFails_CountsTheOutcomeAndRethrows(string outcome, Exception failure)
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        DeviceMetrics metrics = new(services.GetRequiredService<IMeterFactory>(), new(), new());
        List<KeyValuePair<string, object?>> tags = [];
        List<long> active = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == services.GetRequiredService<IMeterFactory>())
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, measured, _) =>
        {
            if (instrument.Name == DeviceInstruments.ActiveCommands)
            {
                active.Add(value);
            }
            else
            {
                tags.AddRange(measured);
            }
        });
        listener.Start();

        var thrown = await Assert.ThrowsAnyAsync<Exception>(
            () => metrics.MeasureAsync<int>("test", static _ => "", () => Task.FromException<int>(failure)));

        Assert.Same(failure, thrown);
        Assert.Equal([1, -1], active);
        Assert.Equal([new(DeviceInstruments.KindTag, "test"), new(DeviceInstruments.OutcomeTag, outcome)], tags);
    }
}
