using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Npgsql;
using Orleans.Configuration;
using StackExchange.Redis;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Which server holds members and states.</summary>
public enum FaultStore
{
    PostgreSql = 0,

    Redis = 1,
}

/// <summary>
/// The whole system on real parts: a mosquitto that keeps its data, a PostgreSQL or a Redis for members and states, several silo processes, and an Orleans client in this process
/// that finds the silos through the members' table as a service would.
/// </summary>
internal sealed class FaultCluster : ILoadableCluster
{
    public const int Silos = 3;

    /// <summary>The keep-alive of the silos' connections: what is broken is noticed within one and a half of it.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(4);

    private const int UpdatingDevices = 100;

    private readonly List<SiloProcess> _silos = [];
    private readonly List<string> _logsOfGone = [];
    private readonly string _name = $"faults-{Guid.NewGuid():N}";
    private readonly FaultStore _store;
    private readonly SiloNetwork? _network;
    private readonly IReadOnlyList<string> _settings;
    private readonly bool _storesApart;
    private readonly Dictionary<SiloProcess, TcpRelay> _storeRelays = [];
    private readonly List<IAsyncDisposable> _parts = [];
    private string _database = "";
    private string _databaseForSilos = "";
    private UpdateTap? _tap;
    private IHost? _client;

    private FaultCluster(FaultStore store, SiloNetwork? network, bool storesApart, IReadOnlyList<string> settings, MosquittoBroker broker)
    {
        _store = store;
        _network = network;
        _storesApart = storesApart;
        _settings = settings;
        Broker = broker;
    }

    public MosquittoBroker Broker { get; }

    /// <summary>Gets the PostgreSQL, if that is the store.</summary>
    public PostgreSqlServer? PostgreSql { get; private set; }

    /// <summary>Gets the Redis, if that is the store.</summary>
    public RedisServer? Redis { get; private set; }

    public UpdateLedger Updates { get; } = new(UpdatingDevices);

    /// <summary>Gets the silos that run, or that were killed and not replaced.</summary>
    public IReadOnlyList<SiloProcess> Running => _silos;

    /// <summary>Gets the facade of a service.</summary>
    public IDeviceCluster Caller => _client!.Services.GetRequiredService<IDeviceCluster>();

    /// <summary>Starts everything; returns when all silos are ready and the client is connected.</summary>
    /// <param name="store">The store.</param>
    /// <param name="network">Where silos run that can be cut off; <see langword="null"/> for loopback.</param>
    /// <param name="storesApart">Whether each silo has a way of its own to the PostgreSQL with the states, which can be cut: <see cref="CutStoreAsync"/>.</param>
    /// <param name="settings">Further settings of the silos, as they are on the command line.</param>
    public static async Task<FaultCluster> StartAsync(FaultStore store, SiloNetwork? network = null, bool storesApart = false, params IReadOnlyList<string> settings)
    {
        // It saves itself every second: a mosquitto that is killed loses what came since. Saving at each change would be safe, and takes all its time when much is queued.
        FaultCluster cluster = new(store, network, storesApart, settings, await MosquittoBroker.StartAsync("autosave_interval 1"));
        try
        {
            await cluster.StartAsync();
            return cluster;
        }
        catch (Exception)
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more silo, on ports of its own; returns when it is ready.</summary>
    /// <param name="apart">Whether it runs where it can be cut off.</param>
    public async Task<SiloProcess> StartSiloAsync(bool apart = false)
    {
        var address = _network is null ? "127.0.0.1" : apart ? SiloNetwork.Inside : SiloNetwork.Outside;
        var relay = _storesApart ? new TcpRelay(IPAddress.Loopback, PostgreSql!.Port) : null;
        var states = relay is null ? _databaseForSilos : new NpgsqlConnectionStringBuilder(_database) { Port = relay.EndPoint.Port }.ConnectionString;
        var silo = SiloProcess.Launch(new()
        {
            Broker = _tap!.ConnectionString,
            Address = apart ? SiloNetwork.Inside : "127.0.0.1",
            Launcher = apart ? _network!.Launcher : [],
            Arguments =
            [
                $"--Orleans:ClusterId={_name}",
                $"--Orleans:ServiceId={_name}",
                $"--Orleans:Endpoints:AdvertisedIPAddress={address}",
                $"--Orleans:Clustering:ProviderType={_store}",
                $"--Orleans:Clustering:ConnectionString={_databaseForSilos}",
                $"--Orleans:GrainStorage:Default:ProviderType={_store}",
                $"--Orleans:GrainStorage:Default:ConnectionString={states}",
                $"--Mqtt:KeepAlive={KeepAlive}",

                // As recommended for a mosquitto: a device that hangs, say with its silo, does not hold up the acknowledgements of the others.
                "--Mqtt:AcknowledgeOutOfOrderAfter=00:00:00.1",
                "--FleetPage:Enabled=false",
                .. _settings,
            ],
        });
        _silos.Add(silo);
        if (relay is not null)
        {
            _storeRelays.Add(silo, relay);
        }

        await silo.WaitForReadyAsync();
        return silo;
    }

    /// <summary>Puts a new silo in the place of one that is gone.</summary>
    public async Task ReplaceAsync(SiloProcess gone)
    {
        _silos.Remove(gone);
        _logsOfGone.Add(gone.Output);
        await gone.DisposeAsync();
        await StartSiloAsync();
    }

    /// <summary>Cuts the way of one silo to the PostgreSQL with the states: its connections end, and new ones are refused.</summary>
    public ValueTask CutStoreAsync(SiloProcess silo) => _storeRelays[silo].DisposeAsync();

    /// <summary>Makes it whole again.</summary>
    public void HealStore(SiloProcess silo) => _storeRelays[silo] = new(IPAddress.Loopback, PostgreSql!.Port, listenPort: _storeRelays[silo].EndPoint.Port);

    /// <summary>Returns what the silos logged, those that are gone first.</summary>
    public string ReadLogs() => string.Join($"{Environment.NewLine}--- the next silo{Environment.NewLine}", [.. _logsOfGone, .. _silos.Select(static silo => silo.Output)]);

    /// <summary>Reads which pins the store has of each updating device: past the silos, which know what is not stored yet.</summary>
    public Task<IReadOnlyDictionary<string, IReadOnlySet<int>>> ReadStoreAsync() => _store == FaultStore.PostgreSql ? ReadPostgreSqlAsync(_database) : ReadRedisAsync();

    /// <summary>Reads which pins a PostgreSQL has of each updating device: past the silos.</summary>
    public static async Task<IReadOnlyDictionary<string, IReadOnlySet<int>>> ReadPostgreSqlAsync(string database)
    {
        Dictionary<string, IReadOnlySet<int>> stored = [];
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand("SELECT grain_key, state FROM mdc_grain_state WHERE grain_key LIKE 'u%' AND state IS NOT NULL");
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            stored[rows.GetString(0)] = PinsOf(rows.GetString(1));
        }

        return stored;
    }

    /// <summary>Connects this process as a service would be, by the members' table in a PostgreSQL.</summary>
    public static Task<IHost> ConnectByPostgreSqlAsync(string clusterId, string serviceId, string database) => ConnectAsync(
        clusterId, serviceId, client => client.UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = ("Npgsql", database)));

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            using CancellationTokenSource bound = new(TimeSpan.FromSeconds(2));
            await _client.StopAsync(bound.Token);
            _client.Dispose();
        }

        foreach (var silo in _silos)
        {
            await silo.DisposeAsync();
        }

        foreach (var relay in _storeRelays.Values)
        {
            await relay.DisposeAsync();
        }

        if (_tap is not null)
        {
            await _tap.DisposeAsync();
        }

        _parts.Reverse();
        foreach (var part in _parts)
        {
            await part.DisposeAsync();
        }

        await Broker.DisposeAsync();
    }

    private static HashSet<int> PinsOf(string storedState)
    {
        using var state = JsonDocument.Parse(storedState);
        return state.RootElement.GetProperty("pins").EnumerateArray().Select(static pin => pin.GetProperty("pin").GetInt32()).ToHashSet();
    }

    private async Task<IReadOnlyDictionary<string, IReadOnlySet<int>>> ReadRedisAsync()
    {
        Dictionary<string, IReadOnlySet<int>> stored = [];
        await using var redis = await ConnectionMultiplexer.ConnectAsync(_database);
        foreach (var deviceId in Updates.DeviceIds)
        {
            // What Orleans' storage makes of it.
            string? state = await redis.GetDatabase().HashGetAsync($"{_name}/state/{DeviceGrain.TypeName}/{deviceId}/{DeviceGrain.StateName}", "data");
            stored[deviceId] = state is null ? new HashSet<int>() : PinsOf(state);
        }

        return stored;
    }

    private async Task StartAsync()
    {
        var address = _network is null ? IPAddress.Loopback : IPAddress.Parse(SiloNetwork.Outside);
        _tap = new(address, Broker.Port, Updates);
        if (_store == FaultStore.PostgreSql)
        {
            PostgreSql = await PostgreSqlServer.StartNewAsync();
            _parts.Add(PostgreSql);
            _database = await PostgreSql.CreateDatabaseAsync();
            _databaseForSilos = _database;
            if (_network is not null)
            {
                TcpRelay relay = new(address, PostgreSql.Port);
                _parts.Add(relay);
                _databaseForSilos = new NpgsqlConnectionStringBuilder(_database) { Host = SiloNetwork.Outside, Port = relay.EndPoint.Port }.ConnectionString;
            }
        }
        else
        {
            Redis = await RedisServer.StartNewAsync();
            _parts.Add(Redis);
            _database = _databaseForSilos = Redis.ConnectionString;
        }

        // All at once: one of them makes the tables. The last one is where it can be cut off.
        await Task.WhenAll(StartSiloAsync(), StartSiloAsync(), StartSiloAsync(apart: _network is not null));
        _client = await ConnectAsync();
    }

    private Task<IHost> ConnectAsync() => _store == FaultStore.PostgreSql
        ? ConnectByPostgreSqlAsync(_name, _name, _database)
        : ConnectAsync(_name, _name, client => client.UseRedisClustering(options => options.ConfigurationOptions = ConfigurationOptions.Parse(_database)));

    private static async Task<IHost> ConnectAsync(string clusterId, string serviceId, Action<IClientBuilder> useClustering)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client =>
        {
            client.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (clusterId, serviceId));

            // A silo that comes is found after a minute by default; these here come and go all the time.
            client.Configure<GatewayOptions>(static options => options.GatewayListRefreshPeriod = TimeSpan.FromSeconds(3));
            useClustering(client);
        });
        builder.Services.AddDeviceCluster();
        var host = builder.Build();
        using CancellationTokenSource bound = new(TimeSpan.FromSeconds(60));
        await host.StartAsync(bound.Token);
        return host;
    }
}
