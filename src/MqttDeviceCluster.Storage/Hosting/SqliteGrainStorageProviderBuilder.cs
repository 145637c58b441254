using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage.Hosting;
using Orleans.Providers;

[assembly: RegisterProvider("Sqlite", "GrainStorage", "Silo", typeof(SqliteGrainStorageProviderBuilder))]

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>
/// Registers a provider from <c>Orleans:GrainStorage:{name}</c> with <c>ProviderType</c> <c>Sqlite</c>. Keys: <c>DataSource</c>,
/// <c>ConnectionString</c> or <c>ConnectionName</c>, <c>SerializerKey</c>, and the other options by their names.
/// </summary>
internal sealed class SqliteGrainStorageProviderBuilder : IProviderBuilder<ISiloBuilder>
{
    public void Configure(ISiloBuilder builder, string? name, IConfigurationSection configurationSection) => builder.AddSqliteGrainStorage(
        name ?? ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME,
        options => options.Configure<IServiceProvider>((target, services) => Bind(target, configurationSection, services)));

    private static void Bind(SqliteGrainStorageOptions options, IConfigurationSection configurationSection, IServiceProvider services)
    {
        ProviderSection section = new(configurationSection, services, options.ConfigurationProblems);
        section.BindText(nameof(options.DataSource), value => options.DataSource = value);
        section.BindConnectionString(value => options.ConnectionString = value);
        section.BindSerializer(options);
        section.BindValue<int>(nameof(options.MaxPendingOperations), value => options.MaxPendingOperations = value);
        section.BindValue<int>(nameof(options.MaxBatchSize), value => options.MaxBatchSize = value);
        section.BindValue<int>(nameof(options.ReadConnections), value => options.ReadConnections = value);
        section.BindTime(nameof(options.BusyTimeout), value => options.BusyTimeout = value);
    }
}
