using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using MqttDeviceCluster;

namespace Orleans.Hosting;

/// <summary>Adds the device grains to a silo.</summary>
public static class DeviceGrainsHostingExtensions
{
    /// <summary>
    /// Adds what the device grains need. The silo also needs a default grain storage, and a stream provider named
    /// <see cref="MqttDeviceCluster.Streams.DeviceStreams.ProviderName"/> that carries their messages and commands.
    /// </summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Changes the options; out of range values stop the start of the silo.</param>
    public static ISiloBuilder AddDeviceGrains(this ISiloBuilder builder, Action<DeviceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.ConfigureServices(services =>
        {
            var options = services.AddOptions<DeviceOptions>();
            if (configure is not null)
            {
                options.Configure(configure);
            }

            services.AddMetrics();
            services.TryAddSingleton(TimeProvider.System);
            services.TryAddSingleton<DeviceMetrics>();
            services.TryAddSingleton<SiloStopping>();
            services.TryAddSingleton<LeavingInTurn>();
            AddFleet(services);
            services.TryAddEnumerable(ServiceDescriptor.Transient<IConfigurationValidator, DeviceOptionsValidator>());
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IActivationWorkingSetObserver, DeactivationWatcher>());
            services.TryAddEnumerable(ServiceDescriptor.Singleton<ILifecycleParticipant<ISiloLifecycle>, SiloStoppingParticipant>());
        });
        builder.AddGrainService<FleetService>();
        return builder;
    }

    private static void AddFleet(IServiceCollection services)
    {
        services.TryAddSingleton<FleetHub>();
        services.TryAddSingleton<ActiveDevices>();
        services.TryAddSingleton<FleetReader>();
        services.TryAddSingleton<FleetWatches>();
        services.TryAddSingleton<DeviceFleet>();
        services.TryAddSingleton<IFleetPeers, FleetPeers>();
        services.TryAddSingleton<FleetIntake>();
        services.TryAddSingleton<FleetDirectory>();
        services.TryAddSingleton<SilenceSweep>();
        services.TryAddSingleton<FleetCensus>();
        services.TryAddSingleton<FleetStores>();
        services.TryAddSingleton<IClusterStores>(static provider => provider.GetRequiredService<FleetStores>());
        services.TryAddSingleton<FleetMembers>();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(static provider => provider.GetRequiredService<FleetMembers>());
    }
}
