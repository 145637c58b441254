using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage.Hosting;
using Orleans.Providers;

[assembly: RegisterProvider("PostgreSql", "GrainStorage", "Silo", typeof(PostgreSqlGrainStorageProviderBuilder))]

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>
/// Registers a provider from <c>Orleans:GrainStorage:{name}</c> with <c>ProviderType</c> <c>PostgreSql</c>. Keys:
/// <c>ConnectionString</c> or <c>ConnectionName</c>, <c>SerializerKey</c>, and the other options by their names.
/// </summary>
internal sealed class PostgreSqlGrainStorageProviderBuilder : IProviderBuilder<ISiloBuilder>
{
    public void Configure(ISiloBuilder builder, string? name, IConfigurationSection configurationSection) => builder.AddPostgreSqlGrainStorage(
        name ?? ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME,
        options => options.Configure<IServiceProvider>((target, services) => Bind(target, configurationSection, services)));

    private static void Bind(PostgreSqlGrainStorageOptions options, IConfigurationSection configurationSection, IServiceProvider services)
    {
        ProviderSection section = new(configurationSection, services, options.ConfigurationProblems);
        section.BindConnectionString(value => options.ConnectionString = value);
        section.BindSerializer(options);
        section.BindValue<int>(nameof(options.MaxPendingOperations), value => options.MaxPendingOperations = value);
        section.BindValue<int>(nameof(options.MaxBatchSize), value => options.MaxBatchSize = value);
        section.BindValue<int>(nameof(options.ReadConnections), value => options.ReadConnections = value);
    }
}
