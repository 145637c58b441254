using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>
/// The whole of it, each part a process of its own: a mosquitto, a silo, this process as the calling service, and simulated devices.
/// </summary>
internal sealed class DeviceSystem : IAsyncDisposable
{
    private readonly string _dataDirectory = Directory.CreateTempSubdirectory("mdc-e2e-").FullName;
    private IHost? _client;

    private DeviceSystem(MosquittoBroker broker) => Broker = broker;

    public MosquittoBroker Broker { get; }

    public SiloProcess Silo { get; private set; } = null!;

    /// <summary>Gets the facade, as a service with an Orleans client of its own has it.</summary>
    public IDeviceCluster Cluster => _client!.Services.GetRequiredService<IDeviceCluster>();

    /// <summary>Gets a device as an Orleans client has it.</summary>
    public IDeviceGrain Grain(string deviceId) => _client!.Services.GetRequiredService<IClusterClient>().GetGrain<IDeviceGrain>(deviceId);

    public static async Task<DeviceSystem> StartAsync(params string[] siloArguments) =>
        await StartAsync(await MosquittoBroker.StartAsync(), siloArguments);

    /// <summary>Starts one on a broker that something has happened at before. It goes with the system.</summary>
    public static async Task<DeviceSystem> StartAsync(MosquittoBroker broker, params string[] siloArguments)
    {
        var system = new DeviceSystem(broker);
        try
        {
            await system.StartSiloAsync(siloArguments);
            return system;
        }
        catch (Exception)
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a silo on the same data and connects to it; the one before must be gone.</summary>
    public async Task StartSiloAsync(params string[] arguments)
    {
        if (Silo is not null)
        {
            await Silo.DisposeAsync();
        }

        Silo = await SiloProcess.StartAsync(new() { Broker = Broker.ConnectionString, DataDirectory = _dataDirectory, Arguments = arguments });
        await StopClientAsync();
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client => client.UseLocalhostClustering(Silo.GatewayPort));
        builder.Services.AddDeviceCluster();
        _client = builder.Build();
        await _client.StartAsync();
    }

    public async Task<SimulatedFleet> StartFleetAsync(SimulatedFleetOptions options)
    {
        var fleet = new SimulatedFleet(options with { Broker = new Uri(Broker.ConnectionString), RecordCommands = true });
        await fleet.StartAsync(TestContext.Current.CancellationToken);
        return fleet;
    }

    public async ValueTask DisposeAsync()
    {
        await StopClientAsync();
        if (Silo is not null)
        {
            await Silo.DisposeAsync();
        }

        await Broker.DisposeAsync();
        Directory.Delete(_dataDirectory, recursive: true);
    }

    private async Task StopClientAsync()
    {
        if (_client is not null)
        {
            await _client.StopAsync();
            _client.Dispose();
        }
    }
}
