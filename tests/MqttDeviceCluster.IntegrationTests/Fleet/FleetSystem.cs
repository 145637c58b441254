using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>
/// A mosquitto, one silo process or two that share a store, and Orleans clients of this process. The first silo holds the membership, so only the second one may be lost.
/// </summary>
internal sealed class FleetSystem : IAsyncDisposable
{
    private static readonly TimeSpan ConnectBound = TimeSpan.FromSeconds(60);

    private readonly List<IHost> _clients = [];
    private readonly List<SiloProcess> _silos = [];
    private readonly SiloProcessOptions _first;
    private readonly SiloProcessOptions _second;

    private FleetSystem(MosquittoBroker broker, string[] arguments)
    {
        Broker = broker;
        _first = Options(broker, FreePorts.Next(), arguments);
        _second = _first with { SiloPort = FreePorts.Next(), GatewayPort = FreePorts.Next() };
    }

    public MosquittoBroker Broker { get; }

    public IReadOnlyList<SiloProcess> Silos => _silos;

    public string DataDirectory => _first.DataDirectory!;

    /// <summary>Starts a system.</summary>
    /// <param name="silos">How many silos, 1 or 2.</param>
    /// <param name="arguments">More arguments of every silo.</param>
    public static async Task<FleetSystem> StartAsync(int silos, params string[] arguments)
    {
        var system = await PrepareAsync(arguments);
        try
        {
            await system.StartFirstAsync();
            if (silos == 2)
            {
                system._silos.Add(await SiloProcess.StartAsync(system._second));
            }

            return system;
        }
        catch (Exception)
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a broker, and no silo yet: there may be something to put into the store before.</summary>
    public static async Task<FleetSystem> PrepareAsync(params string[] arguments) => new(await MosquittoBroker.StartAsync(), arguments);

    /// <summary>Starts the first silo, also again: with the same ports and data.</summary>
    public async Task StartFirstAsync()
    {
        foreach (var silo in _silos)
        {
            await silo.DisposeAsync();
        }

        _silos.Clear();
        _silos.Add(await SiloProcess.StartAsync(_first));
    }

    /// <summary>
    /// Starts a second silo that takes the broker's connection over from the first, if it can be had soon: where in the ring a silo stands is chance, and it is started again at
    /// most twice. Returns it, and whether it holds the connection.
    /// </summary>
    public async Task<(SiloProcess Silo, bool Holds)> StartHolderAsync()
    {
        for (var attempt = 1; ; attempt++)
        {
            var silo = await SiloProcess.StartAsync(_second with { SiloPort = FreePorts.Next(), GatewayPort = FreePorts.Next() });
            _silos.Add(silo);
            for (var i = 0; i < 30 && !Holds(silo); i++)
            {
                // Another process cannot be awaited here: it is asked again.
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }

            if (Holds(silo) || attempt == 3)
            {
                return (silo, Holds(silo));
            }

            silo.Terminate();
            await silo.WaitForExitAsync();
            _silos.Remove(silo);
            await silo.DisposeAsync();
        }

        static bool Holds(SiloProcess silo) => silo.Output.Contains("The MQTT connection (receive)", StringComparison.Ordinal);
    }

    /// <summary>Connects an Orleans client of its own to all silos.</summary>
    public async Task<IDeviceCluster> ConnectAsync(PausableLink? link = null) =>
        (await ConnectHostAsync(link)).Services.GetRequiredService<IDeviceCluster>();

    /// <summary>Connects an Orleans client that can also ask the silos how they are.</summary>
    public async Task<IClusterClient> ConnectOrleansAsync() => (await ConnectHostAsync(null)).Services.GetRequiredService<IClusterClient>();

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            // A client whose silo was killed takes its time to say goodbye to nobody.
            using CancellationTokenSource bound = new(TimeSpan.FromSeconds(2));
            await client.StopAsync(bound.Token);
            client.Dispose();
        }

        foreach (var silo in _silos)
        {
            await silo.DisposeAsync();
        }

        await Broker.DisposeAsync();
    }

    private static SiloProcessOptions Options(MosquittoBroker broker, int port, string[] arguments) => new()
    {
        Broker = broker.ConnectionString,
        SiloPort = port,
        GatewayPort = FreePorts.Next(),
        DataDirectory = Path.Combine(broker.DirectoryPath, "data"),
        Arguments =
        [
            "--Orleans:Clustering:ProviderType=Development",
            string.Create(CultureInfo.InvariantCulture, $"--Orleans:Clustering:PrimarySiloEndPoint=127.0.0.1:{port}"),
            "--Orleans:Endpoints:AdvertisedIPAddress=127.0.0.1",

            // One file for both: allowed when it is asked for by name.
            "--Orleans:GrainStorage:Default:ProviderType=Sqlite",
            $"--Orleans:GrainStorage:Default:DataSource={Path.Combine(broker.DirectoryPath, "data", "devices.db")}",
            .. arguments,
        ],
    };

    private async Task<IHost> ConnectHostAsync(PausableLink? link)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        int[] ports = [.. _silos.Select(silo => silo.GatewayPort)];
        builder.UseOrleansClient(client =>
        {
            client.UseLocalhostClustering(ports);
            link?.Attach(client);
        });
        builder.Services.AddDeviceCluster();
        var host = builder.Build();
        _clients.Add(host);
        using CancellationTokenSource bound = new(ConnectBound);
        await host.StartAsync(bound.Token);
        return host;
    }
}
