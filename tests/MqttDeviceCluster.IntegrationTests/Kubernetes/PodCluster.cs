using System.Globalization;
using System.Runtime.Versioning;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>
/// The overlay for development without Kubernetes: its silos, as many as a test wants, and the calling service of infra/k8s/examples as pods, with a real mosquitto and a real
/// PostgreSQL where the Services of the same names would be.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class PodCluster : ILoadableCluster
{
    private static readonly PodImage BuiltSilo = PodImage.OfBuild("src/MqttDeviceCluster.Silo", "MqttDeviceCluster.Silo");

    private readonly List<Pod> _silos = [];
    private readonly Manifests _manifests;
    private readonly PodNetwork _network;
    private readonly PostgreSqlServer _postgreSql;
    private readonly TcpRelay _relay;
    private readonly UpdateTap _tap;
    private readonly string _database;
    private IHost? _client;

    private PodCluster(Manifests manifests, PodNetwork network, MosquittoBroker broker, PostgreSqlServer postgreSql)
    {
        _manifests = manifests;
        _network = network;
        Broker = broker;
        _postgreSql = postgreSql;
        _tap = new(PodNetwork.Outside, broker.Port, Updates, listenPort: 1883);
        _relay = new(PodNetwork.Outside, postgreSql.Port, listenPort: 5432);
        _database = postgreSql.ConnectionString("devices");
    }

    public MosquittoBroker Broker { get; }

    public UpdateLedger Updates { get; } = new(devices: 100);

    public IDeviceCluster Caller => _client!.Services.GetRequiredService<IDeviceCluster>();

    /// <summary>Gets the silos that run, the oldest first.</summary>
    public IReadOnlyList<Pod> Silos => _silos;

    /// <summary>Gets the calling service.</summary>
    public Pod? Service { get; private set; }

    /// <summary>Starts everything with one silo, as the overlay has it; returns when silo, calling service and client are ready.</summary>
    public static async Task<PodCluster> StartAsync()
    {
        var manifests = (await Manifests.RenderAsync("overlays/dev")).With(await Manifests.RenderAsync("examples/caller"));
        var network = await PodNetwork.CreateAsync();
        PodCluster cluster = new(manifests, network, await MosquittoBroker.StartAsync("autosave_interval 1"), await PostgreSqlServer.StartNewAsync());
        try
        {
            await cluster.StartAllAsync();
            return cluster;
        }
        catch (Exception)
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more silo; returns when it is ready.</summary>
    public async Task<Pod> StartSiloAsync()
    {
        var pod = await Pod.StartAsync(_network, _manifests, "silo", BuiltSilo, "mosquitto", "postgresql");
        lock (_silos)
        {
            _silos.Add(pod);
        }

        await pod.WaitForReadyAsync(_manifests.Silo.Spec.Template.Spec.Containers.Single());
        return pod;
    }

    /// <summary>Stops a silo as a kubelet does.</summary>
    public async Task StopSiloAsync(Pod silo)
    {
        await silo.StopAsync();
        await RemoveAsync(silo);
    }

    /// <summary>Kills a silo.</summary>
    public async Task KillSiloAsync(Pod silo)
    {
        await silo.KillAsync();
        await RemoveAsync(silo);
    }

    public Task<IReadOnlyDictionary<string, IReadOnlySet<int>>> ReadStoreAsync() => FaultCluster.ReadPostgreSqlAsync(_database);

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            using CancellationTokenSource bound = new(TimeSpan.FromSeconds(2));
            await _client.StopAsync(bound.Token);
            _client.Dispose();
        }

        if (Service is not null)
        {
            await Service.DisposeAsync();
        }

        foreach (var silo in _silos)
        {
            await silo.DisposeAsync();
        }

        await _tap.DisposeAsync();
        await _relay.DisposeAsync();
        await _postgreSql.DisposeAsync();
        await Broker.DisposeAsync();
        await _network.DisposeAsync();
    }

    private async Task StartAllAsync()
    {
        // As the StatefulSet's image does from its environment and its secret.
        var postgreSql = _manifests.Pods.Single(static pods => pods.Name == "postgresql").Containers.Single();
        var (user, database) = (ValueOf("POSTGRES_USER"), ValueOf("POSTGRES_DB"));
        var secret = _manifests.All<V1Secret>().Single(static one => one.Metadata.Name.StartsWith("postgresql-", StringComparison.Ordinal));
        var password = ContainerEnvironment.DataOf(_manifests, null, secret.Metadata.Name)["password"];
        await PostgreSqlServer.ExecuteAsync(_postgreSql.ConnectionString("postgres"), $"CREATE ROLE {user} LOGIN PASSWORD '{password}'");
        await PostgreSqlServer.ExecuteAsync(_postgreSql.ConnectionString("postgres"), string.Create(CultureInfo.InvariantCulture, $"CREATE DATABASE {database} OWNER {user}"));

        await StartSiloAsync();
        Service = await Pod.StartAsync(_network, _manifests, "caller", PodImage.OfBuild("infra/k8s/examples/caller", "Caller"), "postgresql");
        var caller = _manifests.Pods.Single(static pods => pods.Name == "caller").Containers.Single();
        await Service.WaitForReadyAsync(caller);
        await Service.Process.WaitForHealthAsync(caller.StartupProbe.HttpGet.Path, static body => body == "Healthy");
        await Service.Process.WaitForHealthAsync(caller.LivenessProbe.HttpGet.Path, static _ => true);

        // This process is on the node, which reaches pods by their addresses as well.
        var settings = ContainerEnvironment.Of(_manifests, _manifests.Silo.Spec.Template.Spec.Containers.Single(), SettingRules.Fields);
        _client = await FaultCluster.ConnectByPostgreSqlAsync(
            settings["Orleans__ClusterId"],
            settings["Orleans__ServiceId"],
            new NpgsqlConnectionStringBuilder(_database) { Username = user, Password = password }.ConnectionString);

        string ValueOf(string name) => postgreSql.Env.Single(variable => variable.Name == name).Value;
    }

    private async Task RemoveAsync(Pod silo)
    {
        lock (_silos)
        {
            _silos.Remove(silo);
        }

        await silo.DisposeAsync();
    }
}
