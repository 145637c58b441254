using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Sqlite;
using Orleans.Configuration;
using Orleans.Providers;
using Orleans.Serialization;
using Orleans.Storage;

namespace Orleans.Hosting;

/// <summary>Adds grain storage in SQLite files.</summary>
public static class SqliteGrainStorageHostingExtensions
{
    /// <summary>Adds grain storage in a SQLite file, under a name.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name, which names its options and its <see cref="IGrainStorageStatus"/> as well.</param>
    /// <param name="configure">Sets the options; runs after those bound from configuration.</param>
    public static ISiloBuilder AddSqliteGrainStorage(this ISiloBuilder builder, string name, Action<SqliteGrainStorageOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.AddSqliteGrainStorage(name, options => options.Configure(configure));
    }

    /// <summary>Adds grain storage in a SQLite file, under a name.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name, which names its options and its <see cref="IGrainStorageStatus"/> as well.</param>
    /// <param name="configure">Sets the options, with services if need be; runs after those bound from configuration.</param>
    public static ISiloBuilder AddSqliteGrainStorage(
        this ISiloBuilder builder, string name, Action<OptionsBuilder<SqliteGrainStorageOptions>>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var services = builder.Services;
        configure?.Invoke(services.AddOptions<SqliteGrainStorageOptions>(name));

        // Added in code and in configuration it is still one provider: two writers, and two participants in the lifecycle, would fight over one file.
        if (services.Any(service => service.ServiceType == typeof(Registration) && Equals(service.ServiceKey, name)))
        {
            return builder;
        }

        services.AddKeyedSingleton(name, new Registration());
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<GrainStorageMetrics>();
        services.Configure<SystemTextJsonGrainStorageSerializerOptions>(name, StateJson.Configure);
        services.TryAddEnumerable(
            ServiceDescriptor.Transient<IPostConfigureOptions<SqliteGrainStorageOptions>, StateSerializer<SqliteGrainStorageOptions>>());
        services.ConfigureNamedOptionForLogging<SqliteGrainStorageOptions>(name);
        services.AddTransient<IConfigurationValidator>(
            provider => new SqliteGrainStorageOptionsValidator(provider.GetRequiredService<IOptionsMonitor<SqliteGrainStorageOptions>>().Get(name), name));
        services.AddKeyedSingleton(name, static (provider, key) => Create(provider, (string)key!));
        services.AddKeyedSingleton<IGrainStorage>(name, static (provider, key) => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(key));
        services.AddKeyedSingleton<IGrainStorageStatus>(name, static (provider, key) => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(key));
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(provider => provider.GetRequiredKeyedService<GroupCommitGrainStorage>(name));
        if (name == ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME)
        {
            services.TryAddSingleton(static provider => provider.GetRequiredKeyedService<IGrainStorage>(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME));
        }

        return builder;
    }

    /// <summary>Adds grain storage in a SQLite file for all grains that name no provider.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Sets the options; runs after those bound from configuration.</param>
    public static ISiloBuilder AddSqliteGrainStorageAsDefault(this ISiloBuilder builder, Action<SqliteGrainStorageOptions> configure) =>
        builder.AddSqliteGrainStorage(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, configure);

    /// <summary>Adds grain storage in a SQLite file for all grains that name no provider.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Sets the options, with services if need be; runs after those bound from configuration.</param>
    public static ISiloBuilder AddSqliteGrainStorageAsDefault(
        this ISiloBuilder builder, Action<OptionsBuilder<SqliteGrainStorageOptions>>? configure = null) =>
        builder.AddSqliteGrainStorage(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, configure);

    private static GroupCommitGrainStorage Create(IServiceProvider services, string name)
    {
        var options = services.GetRequiredService<IOptionsMonitor<SqliteGrainStorageOptions>>().Get(name);
        return ActivatorUtilities.CreateInstance<GroupCommitGrainStorage>(
            services,
            name,
            new SqliteGrainStateStore(name, options, services.GetRequiredService<TimeProvider>()),
            options.GrainStorageSerializer,
            new GroupCommitLimits(options.MaxPendingOperations, options.MaxBatchSize));
    }

    private sealed class Registration;
}
