using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Storage.Hosting;
using MqttDeviceCluster.Storage.PostgreSql;
using Orleans.Providers;

[assembly: RegisterProvider("PostgreSql", "Clustering", "Silo", typeof(PostgreSqlClusteringProviderBuilder))]

namespace MqttDeviceCluster.Storage.Hosting;

/// <summary>Configures clustering from <c>Orleans:Clustering</c> with <c>ProviderType</c> <c>PostgreSql</c>. Keys: <c>ConnectionString</c> or <c>ConnectionName</c>.</summary>
internal sealed class PostgreSqlClusteringProviderBuilder : IProviderBuilder<ISiloBuilder>
{
    public void Configure(ISiloBuilder builder, string? name, IConfigurationSection configurationSection) => builder.UsePostgreSqlClustering(
        options => options.Configure<IServiceProvider, PostgreSqlClusteringSection>((target, services, found) =>
            new ProviderSection(configurationSection, services, found.Problems).BindConnectionString(value => target.ConnectionString = value)));
}
