using Microsoft.Extensions.DependencyInjection.Extensions;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.EmbeddedBroker;
using MqttDeviceCluster.Silo.FleetPage;
using MqttDeviceCluster.Silo.Health;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using Orleans.Configuration;
using Orleans.Dashboard;

namespace MqttDeviceCluster.Silo;

/// <summary>Puts the parts together: each one embedded, or the real one that the configuration names.</summary>
internal static class SiloComposition
{
    public const string DashboardPath = "/dashboard";

    /// <summary>How long an orderly stop may take, the drain included. What kills the process must wait longer: the grace of infra/k8s, of infra/compose and of a service manager.</summary>
    public static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(75);

    /// <summary>The longest wait for databases at the start. A silo that has not joined five minutes after its start is declared dead by the others.</summary>
    public static readonly TimeSpan MaxDatabaseWait = TimeSpan.FromMinutes(3);

    /// <summary>The longest drain: the rest of the time is for the turn to leave (up to 15 s), commands in flight, deliveries and the grains that move.</summary>
    public static readonly TimeSpan MaxDrainDelay = TimeSpan.FromSeconds(30);

    /// <remarks>
    /// Hosted services start in this order and stop in the reverse one: the broker is there before Orleans asks for it and outlives it, HTTP comes
    /// last and goes first.
    /// </remarks>
    public static void AddSilo(WebApplicationBuilder builder, SiloSettings settings)
    {
        var services = builder.Services;
        services.AddSingleton(settings);
        services.TryAddSingleton(TimeProvider.System);
        services.AddTelemetry(settings.Telemetry);
        services.Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownTimeout);
        services.AddSiloHealth();
        if (settings.EmbedsBroker)
        {
            services.AddHostedService<EmbeddedBrokerService>();
        }

        // It goes on beside the start of Orleans, and holds nothing up: a caller may come before it has ended.
        services.AddHostedService<RetainedCommandCheck>();
        builder.UseOrleans(silo => AddOrleans(silo, builder.Configuration, settings));
        services.AddDeviceCluster();
        services.AddFleetPage(settings);
        if (settings.Simulate > 0)
        {
            services.AddHostedService<SimulatedFleetService>();
        }

        if (settings.Urls is { } urls)
        {
            builder.WebHost.UseUrls(urls);
        }
    }

    public static void MapEndpoints(WebApplication app, SiloSettings settings)
    {
        app.MapHealth("/health/live", HealthTags.Live);
        app.MapHealth("/health/ready", HealthTags.Ready);
        app.MapHealth("/health/startup", HealthTags.Startup);
        if (settings.Dashboard)
        {
            // It has no login of its own, and shows every silo and grain.
            var guard = app.Services.GetRequiredService<FleetPageGuard>();
            IEndpointConventionBuilder dashboard = app.MapOrleansDashboard(DashboardPath);
            dashboard.Finally(endpoint => endpoint.RequestDelegate = guard.Protect(Demand.Token, endpoint.RequestDelegate!));
        }

        app.MapFleetPage(settings);
    }

    private static void AddOrleans(ISiloBuilder silo, ConfigurationManager configuration, SiloSettings settings)
    {
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            // With Orleans' defaults a silo that vanished held its grains for 53 s, with these for 18 s.
            options.ProbeTimeout = TimeSpan.FromSeconds(2);
            options.MaxProbeTimeout = TimeSpan.FromSeconds(4);
            options.TableRefreshTimeout = TimeSpan.FromSeconds(15);

            // When all silos died at once, the first to start waits until the dead have missed three of these: 95 s with the default of 30 s.
            options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);
        });
        // The defaults are those of an Orleans client with UseLocalhostClustering: it finds this silo without a word of configuration.
        silo.Configure<ClusterOptions>(options => (options.ServiceId, options.ClusterId) = (settings.ServiceId, settings.ClusterId));
        if (settings.LocalhostClustering)
        {
            silo.UseLocalhostClustering(settings.SiloPort, settings.GatewayPort);
        }
        else
        {
            ClusteringComposition.AddClustering(silo, configuration, settings);
        }

        silo.Services.Configure<DatabaseStartOptions>(options => options.MaxWait = settings.DatabaseWait);
        if (settings.EmbedsStore)
        {
            silo.AddSqliteGrainStorage(SiloSettings.StorageName, options => options.DataSource = settings.StorePath);
        }
        else
        {
            ClusteringComposition.AddStorage(silo, configuration);
        }

        var mqtt = silo.Services.AddOptions<MqttStreamOptions>(DeviceStreams.ProviderName);
        if (!settings.LocalhostClustering)
        {
            // A silo that cannot be reached fails the deliveries to its devices for up to 18 s until the others know that it is lost, and none may be given up for that.
            mqtt.Configure(static options => options.MaxDeliveryTime = TimeSpan.FromSeconds(20));
        }

        mqtt.Bind(configuration.GetSection("Mqtt"));
        silo.AddMqttStreams(DeviceStreams.ProviderName, options =>
        {
            options.ConnectionString = settings.Broker.OriginalString;
            if (settings.EmbedsBroker)
            {
                // This one is known to take acknowledgements in any order.
                options.AcknowledgeOutOfOrderAfter ??= TimeSpan.FromMilliseconds(100);
            }

            foreach (var route in DeviceRoutes.Create(settings.CommandQualityOfService))
            {
                options.Routes.Add(route);
            }
        });
        silo.Services.AddSingleton<IDeviceStore>(static services => new SiloStore(services.GetKeyedService<IGrainStorageStatus>(SiloSettings.StorageName)));
        silo.Services.AddSingleton<DeliveryGate>();
        silo.Services.AddKeyedSingleton<IMqttDeliveryGate>(DeviceStreams.ProviderName, static (services, _) => services.GetRequiredService<DeliveryGate>());
        AddPauseFence(silo.Services);
        silo.AddTracing(settings.Telemetry);
        silo.Services.AddSingleton<SiloLosses>();
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(static services => services.GetRequiredService<SiloLosses>());
        silo.Services.AddHostedService<SiloMetrics>();
        silo.Services.AddOptions<DeviceOptions>().Bind(configuration.GetSection("Devices"));
        silo.AddDeviceGrains();
        silo.Services.AddSingleton<IDeviceIntake, BrokerIntake>();
        AddDirectory(silo.Services);
        if (settings.Dashboard)
        {
            silo.AddDashboard();
        }
    }

    private static void AddPauseFence(IServiceCollection services)
    {
        services.AddSingleton<IOwnMembership, OwnMembership>();
        services.AddSingleton<PauseFence>();
        services.AddSingleton<IDeviceFence>(static provider => provider.GetRequiredService<PauseFence>());
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(static provider => provider.GetRequiredService<PauseFence>());
        services.AddKeyedSingleton<IMqttFence>(DeviceStreams.ProviderName, static (provider, _) => provider.GetRequiredService<PauseFence>());
    }

    /// <summary>A storage that cannot be listed leaves the directory with the devices that some silo has in memory.</summary>
    private static void AddDirectory(IServiceCollection services) => services.AddSingleton(static provider =>
        provider.GetKeyedService<IGrainStateScanner>(SiloSettings.StorageName) is { } scanner ? (IDeviceStateScan)new StoredDevices(scanner, provider.GetRequiredService<TimeProvider>()) : null!);
}
