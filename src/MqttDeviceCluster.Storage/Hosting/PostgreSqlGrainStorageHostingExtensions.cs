using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Hosting;
using MqttDeviceCluster.Storage.PostgreSql;
using Orleans.Providers;

namespace Orleans.Hosting;

/// <summary>Adds grain storage in PostgreSQL.</summary>
public static class PostgreSqlGrainStorageHostingExtensions
{
    /// <summary>Adds grain storage in a table of PostgreSQL, under a name.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name, which names its options and its <see cref="IGrainStorageStatus"/> as well.</param>
    /// <param name="configure">Sets the options; runs after those bound from configuration.</param>
    public static ISiloBuilder AddPostgreSqlGrainStorage(this ISiloBuilder builder, string name, Action<PostgreSqlGrainStorageOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.AddPostgreSqlGrainStorage(name, options => options.Configure(configure));
    }

    /// <summary>Adds grain storage in a table of PostgreSQL, under a name.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name, which names its options and its <see cref="IGrainStorageStatus"/> as well.</param>
    /// <param name="configure">Sets the options, with services if need be; runs after those bound from configuration.</param>
    public static ISiloBuilder AddPostgreSqlGrainStorage(
        this ISiloBuilder builder, string name, Action<OptionsBuilder<PostgreSqlGrainStorageOptions>>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        configure?.Invoke(builder.Services.AddOptions<PostgreSqlGrainStorageOptions>(name));
        GrainStorageRegistration.Add<PostgreSqlGrainStorageOptions>(
            builder.Services,
            name,
            static (options, name) => new PostgreSqlGrainStorageOptionsValidator(options, name),
            static (options, _, timeProvider) => new PostgreSqlGrainStateStore(options, timeProvider),
            static options => new GroupCommitLimits(options.MaxPendingOperations, options.MaxBatchSize));
        return builder;
    }

    /// <summary>Adds grain storage in a table of PostgreSQL for all grains that name no provider.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Sets the options; runs after those bound from configuration.</param>
    public static ISiloBuilder AddPostgreSqlGrainStorageAsDefault(this ISiloBuilder builder, Action<PostgreSqlGrainStorageOptions> configure) =>
        builder.AddPostgreSqlGrainStorage(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, configure);

    /// <summary>Adds grain storage in a table of PostgreSQL for all grains that name no provider.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Sets the options, with services if need be; runs after those bound from configuration.</param>
    public static ISiloBuilder AddPostgreSqlGrainStorageAsDefault(
        this ISiloBuilder builder, Action<OptionsBuilder<PostgreSqlGrainStorageOptions>>? configure = null) =>
        builder.AddPostgreSqlGrainStorage(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, configure);
}
