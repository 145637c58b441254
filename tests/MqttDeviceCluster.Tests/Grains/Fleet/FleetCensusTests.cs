using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class FleetCensusTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly FakeSilos _silos = new();
    private readonly FakeScan _scan = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly FleetCensus _census;

    public FleetCensusTests()
    {
        _silos.Add(1, new FakeFleetService(_time));
        _census = new(new(_services.GetRequiredService<IMeterFactory>(), new(), new()), _silos, _silos, _time, NullLogger<FleetCensus>.Instance, _scan);
    }

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task RunAsync_StoredDevices_CountsThemInPagesOnceAMinute()
    {
        for (var i = 0; i < 2_500; i++)
        {
            _scan.Add($"device {i:D4}", State(i < 1_700 ? Presence.Online : Presence.Offline));
        }

        Assert.Equal("", Measure());
        await RunAsync(0);
        Assert.Equal("known 2500, online 1700", Measure());
        Assert.Equal(3, _scan.Reads.Count);

        _scan.Add("another", State(Presence.Online));
        await RunAsync(59);
        Assert.Equal("known 2500, online 1700", Measure());
        Assert.Equal(3, _scan.Reads.Count);
        await RunAsync(1);
        Assert.Equal("known 2501, online 1701", Measure());
    }

    [Fact]
    public async Task RunAsync_AnotherSiloIsFirst_LeavesItToThat()
    {
        _scan.Add("device", State(Presence.Online));
        await RunAsync(0);
        Assert.Equal("known 1, online 1", Measure());

        _silos.Add(0, new FakeFleetService(_time));
        await RunAsync(60);
        Assert.Equal("", Measure());
        Assert.Single(_scan.Reads);

        // When that is gone, at once: nobody else counts.
        _silos.Add(0, new FakeFleetService(_time), SiloStatus.Dead);
        await RunAsync(1);
        Assert.Equal("known 1, online 1", Measure());
    }

    [Fact]
    public async Task RunAsync_StoreFails_LetsTheLastCountStand()
    {
        _scan.Add("device", State(Presence.Online));
        await RunAsync(0);
        _scan.Failure = new InvalidOperationException("disk full");
        await RunAsync(60);
        Assert.Equal("known 1, online 1", Measure());
        await RunAsync(1);
        Assert.Equal(2, _scan.Reads.Count);
    }

    private static DeviceState State(Presence presence) => new() { Presence = (int)presence };

    private Task RunAsync(double afterSeconds)
    {
        _time.Advance(TimeSpan.FromSeconds(afterSeconds));
        return _census.RunAsync(TestContext.Current.CancellationToken).WaitAsync(TestClock.Bound, TestContext.Current.CancellationToken);
    }

    private string Measure()
    {
        List<string> measured = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == _services.GetRequiredService<IMeterFactory>() && instrument.Name is DeviceInstruments.DevicesKnown or DeviceInstruments.DevicesOnline)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => measured.Add($"{instrument.Name.Split('.')[^1]} {value}"));
        listener.Start();
        listener.RecordObservableInstruments();
        return string.Join(", ", measured.Order(StringComparer.Ordinal));
    }
}
