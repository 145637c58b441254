using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.FleetPage;

/// <summary>A browser, a silo and a few simulated devices for all tests of a class. Each test has a device of its own.</summary>
public sealed class FleetPageSystem : IAsyncDisposable
{
    public const string Hostile = "<img src=x onerror=document.title=1>\u202e";

    private Browser? _browser;
    private SiloProcess? _silo;
    private SimulatedFleet? _fleet;

    internal Browser Browser => _browser!;

    internal SiloProcess Silo => _silo!;

    internal SimulatedFleet Fleet => _fleet!;

    internal async Task EnsureStartedAsync()
    {
        if (_fleet is not null)
        {
            return;
        }

        _browser ??= new Browser();
        _silo ??= await SiloProcess.StartAsync();
        var fleet = new SimulatedFleet(new SimulatedFleetOptions
        {
            Broker = _silo.Broker,
            Ids = ["544B3B144B8A", "544B3B144B8B", "544B3B144B8C", "544B3B144B8D", Hostile],
            Behavior = DeviceBehavior.Default with
            {
                Status = StatusStyle.Json,
                Echo = true,
                InitialPins = [new SimulatedPin(4, 5, 0), new SimulatedPin(13, 3, 0), new SimulatedPin(14, 3, 1)],
            },
        });
        await fleet.StartAsync(TestContext.Current.CancellationToken);
        await fleet.WaitUntilConnectedAsync(TestContext.Current.CancellationToken);
        foreach (var device in fleet.Devices)
        {
            device.Report();
        }

        _fleet = fleet;
    }

    public async ValueTask DisposeAsync()
    {
        _browser?.Dispose();
        if (_fleet is not null)
        {
            await _fleet.DisposeAsync();
        }

        if (_silo is not null)
        {
            await _silo.DisposeAsync();
        }
    }
}
