using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Hosting;
using MqttDeviceCluster.Storage.Redis;
using Orleans.Configuration;
using Orleans.Persistence;
using Orleans.Serialization;
using Orleans.Serialization.Serializers;
using Orleans.Storage;

namespace Orleans.Hosting;

/// <summary>Fits Orleans' Redis providers to this host.</summary>
public static class RedisHostingExtensions
{
    /// <summary>
    /// Gives a Redis storage of Orleans, which is registered already, what the other storages here have: <see cref="IGrainStorageStatus"/>,
    /// <see cref="IGrainStateScanner"/>, their exceptions, and System.Text.Json without type names unless a serializer is chosen.
    /// </summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name.</param>
    public static ISiloBuilder ObserveRedisGrainStorage(this ISiloBuilder builder, string name)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var services = builder.Services;
        services.AddMetrics();
        DatabaseStart.AddTo(services);
        services.TryAddSingleton<GrainStorageMetrics>();
        services.Configure<SystemTextJsonGrainStorageSerializerOptions>(name, StateJson.Configure);
        services.AddOptions<RedisStorageOptions>(name).Configure<IServiceProvider>((options, provider) =>
        {
            options.GrainStorageSerializer ??= new StateSerializer<RedisStorageOptions>(provider).Choose(name);
            options.CreateMultiplexer = async _ => (await provider.GetRequiredKeyedService<RedisConnection>(name).ConnectAsync(), true);
        });
        services.AddKeyedSingleton(name, (provider, _) => new RedisConnection(
            GetOptions(provider).ConfigurationOptions ?? throw new OrleansConfigurationException($"Grain storage '{name}': ConnectionString (or ConnectionName) is required."),
            provider.GetRequiredService<IOptions<ClusterOptions>>().Value.ServiceId,
            name));
        services.AddKeyedSingleton(name, (provider, _) => new ObservedRedisGrainStorage(
            name,
            provider.GetRequiredService<IOptions<ClusterOptions>>().Value.ServiceId,
            ActivatorUtilities.CreateInstance<RedisGrainStorage>(provider, name, GetOptions(provider), GetOptions(provider).GrainStorageSerializer),
            provider.GetRequiredKeyedService<RedisConnection>(name),
            GetOptions(provider).GrainStorageSerializer,
            provider.GetRequiredService<IActivatorProvider>(),
            provider.GetRequiredService<GrainStorageMetrics>(),
            provider.GetRequiredService<DatabaseStart>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<GrainStorageHealth>>()));

        // In place of Orleans' own registration, through which its lifecycle finds the storage as well.
        services.RemoveAllKeyed<IGrainStorage>(name);
        services.AddKeyedSingleton<IGrainStorage>(name, static (provider, key) => provider.GetRequiredKeyedService<ObservedRedisGrainStorage>(key));
        services.AddKeyedSingleton<IGrainStorageStatus>(name, static (provider, key) => provider.GetRequiredKeyedService<ObservedRedisGrainStorage>(key));
        services.AddKeyedSingleton<IGrainStateScanner>(name, static (provider, key) => provider.GetRequiredKeyedService<ObservedRedisGrainStorage>(key));
        return builder;

        RedisStorageOptions GetOptions(IServiceProvider provider) => provider.GetRequiredService<IOptionsMonitor<RedisStorageOptions>>().Get(name);
    }

    /// <summary>Has a silo with Orleans' Redis clustering say at its start, in a sentence, when Redis cannot be used.</summary>
    /// <param name="builder">The silo, whose Redis clustering is configured elsewhere.</param>
    public static ISiloBuilder CheckRedisClustering(this ISiloBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        DatabaseStart.AddTo(builder.Services);
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, RedisClusteringCheck>();
        return builder;
    }
}
