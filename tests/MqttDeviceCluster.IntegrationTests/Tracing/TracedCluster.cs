using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using OpenTelemetry;
using OpenTelemetry.Trace;
using Orleans.Runtime.Placement;
using Orleans.TestingHost;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>Two silos and a client on a real broker, traced as the host does it, into memory.</summary>
public sealed class TracedCluster : IAsyncLifetime
{
    /// <summary>A device whose topics the broker lets nobody write to.</summary>
    internal const string Refused = "refused";

    private readonly string _directory = Directory.CreateTempSubdirectory("mdc-traced-").FullName;
    private InProcessTestCluster? _cluster;
    private TracerProvider? _tracing;

    internal MosquittoBroker Broker { get; private set; } = null!;

    internal SpanLog Spans { get; } = new();

    /// <summary>Gets the devices for callers on a silo, where Orleans carries no context.</summary>
    internal IDeviceCluster DevicesOnSilo => _cluster!.GetSiloServiceProvider(Holder()!.SiloAddress).GetRequiredService<IDeviceCluster>();

    internal IDeviceCluster Devices => _cluster!.Client.ServiceProvider.GetRequiredService<IDeviceCluster>();

    internal IDeviceGrain Grain(string id) => _cluster!.Client.GetGrain<IDeviceGrain>(id);

    /// <summary>Gets or sets whether what devices say on their own is traced: all of it, or nothing.</summary>
    internal bool TracesUnasked { get; set; }

    public async ValueTask InitializeAsync()
    {
        Broker = MosquittoBroker.Prepare("acl_file {dir}/acl");
        await File.WriteAllLinesAsync(Path.Combine(Broker.DirectoryPath, "acl"), ["topic readwrite #", $"topic deny device/{Refused}/#"]);
        await Broker.StartAsync();
        var telemetry = Settings(1);
        _tracing = Sdk.CreateTracerProviderBuilder().SetSampler(telemetry.CreateSampler()).AddSiloInstrumentation().AddInMemoryExporter(Spans).Build();
        var builder = new InProcessTestClusterBuilder(2);
        builder.ConfigureSilo((options, silo) =>
        {
            silo.AddSqliteGrainStorage(SiloSettings.StorageName, storage => storage.DataSource = Path.Combine(_directory, $"{options.SiloName}.db"));
            silo.AddDeviceGrains(static devices => devices.MaxWaitingCommands = 1);
            silo.Services.AddDeviceCluster();
            silo.AddTracing(telemetry);
            silo.Services.AddSingleton<IDeviceTracer>(new SwitchedTracer(this));
            silo.AddMqttStreams(DeviceStreams.ProviderName, mqtt =>
            {
                mqtt.ConnectionString = Broker.ConnectionString;
                foreach (var route in DeviceRoutes.Create())
                {
                    mqtt.Routes.Add(route);
                }
            });
        });
        builder.ConfigureClient(client => client.AddActivityPropagation());
        builder.ConfigureClientHost(client => client.Services.AddDeviceCluster());
        _cluster = builder.Build();
        await _cluster.DeployAsync(TestContext.Current.CancellationToken);
        using CancellationTokenSource bound = new(TimeSpan.FromSeconds(60));
        while (Holder() is null)
        {
            // The connection's state cannot be awaited.
            await Task.Delay(20, bound.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        _tracing?.Dispose();
        await Broker.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>Returns the id of a device whose grain is active on the silo that receives, or on the other one.</summary>
    internal async Task<string> FindDeviceAsync(bool onReceivingSilo = true, string? id = null)
    {
        var management = _cluster!.Client.GetGrain<IManagementGrain>(0);
        for (var tries = 0; tries < 100; tries++)
        {
            var candidate = id ?? $"traced-{Guid.NewGuid():N}";
            RequestContext.Set(IPlacementDirector.PlacementHintKey, _cluster.Silos.First(silo => silo.SiloAddress.Equals(Holder()!.SiloAddress) == onReceivingSilo).SiloAddress);
            await Devices.GetSnapshotAsync(candidate, TestContext.Current.CancellationToken);
            RequestContext.Remove(IPlacementDirector.PlacementHintKey);
            var at = await management.GetActivationAddress(_cluster.Client.GetGrain<IDeviceGrain>(candidate));
            if (at!.Equals(Holder()!.SiloAddress) == onReceivingSilo)
            {
                return candidate;
            }
        }

        throw new InvalidOperationException("All grains are on the same silo.");
    }

    /// <summary>Lets the store fail until <paramref name="meanwhile"/> is over, and waits until what it missed is stored.</summary>
    internal async Task FailStoreAsync(string id, Func<Task> meanwhile)
    {
        var stores = _cluster!.Silos.Select(silo => Path.Combine(_directory, $"{silo.Name}.db")).ToList();
        stores.ForEach(static store => SqliteFile.Execute(store, "ALTER TABLE grain_state RENAME TO hidden"));
        try
        {
            await meanwhile();
        }
        finally
        {
            stores.ForEach(static store => SqliteFile.Execute(store, "ALTER TABLE hidden RENAME TO grain_state"));
        }

        await Until.TrueAsync(() => stores.Any(store => SqliteFile.Query(store, $"SELECT 1 FROM grain_state WHERE grain_key = '{id}'") is not null), "the device to be stored");
    }

    private static TelemetrySettings Settings(int updateSamplingRatio)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4317",
            [TelemetrySettings.UpdateSamplingRatioKey] = $"{updateSamplingRatio}",
        }).Build();
        SettingReader read = new(configuration);
        var settings = TelemetrySettings.Read(read, configuration);
        read.ThrowIfProblems();
        return settings;
    }

    private InProcessSiloHandle? Holder() => _cluster!.GetActiveSilos().FirstOrDefault(silo =>
        _cluster.GetSiloServiceProvider(silo.SiloAddress).GetRequiredKeyedService<IMqttStreamStatus>(DeviceStreams.ProviderName).Receiving == MqttConnectionState.Online);

    private sealed class SwitchedTracer(TracedCluster cluster) : IDeviceTracer
    {
        private readonly DeviceTracer _all = new(1);
        private readonly DeviceTracer _none = new(0);

        public Activity? Start(string deviceId, DeviceMessage message, ActivityContext command) => (cluster.TracesUnasked ? _all : _none).Start(deviceId, message, command);

        public IDisposable Suppress() => _all.Suppress();
    }
}
