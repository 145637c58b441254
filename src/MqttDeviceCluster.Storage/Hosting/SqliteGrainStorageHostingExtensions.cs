using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Hosting;
using MqttDeviceCluster.Storage.Sqlite;
using Orleans.Providers;

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
        configure?.Invoke(builder.Services.AddOptions<SqliteGrainStorageOptions>(name));
        GrainStorageRegistration.Add<SqliteGrainStorageOptions>(
            builder.Services,
            name,
            static (options, name) => new SqliteGrainStorageOptionsValidator(options, name),
            static (options, name, timeProvider) => new SqliteGrainStateStore(name, options, timeProvider),
            static options => new GroupCommitLimits(options.MaxPendingOperations, options.MaxBatchSize));
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
}
