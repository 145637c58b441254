using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage.Hosting;
using MqttDeviceCluster.Storage.PostgreSql;
using Orleans.Configuration;

namespace Orleans.Hosting;

/// <summary>Adds clustering over PostgreSQL.</summary>
public static class PostgreSqlClusteringHostingExtensions
{
    /// <summary>Keeps the members of the cluster in PostgreSQL, through Orleans' AdoNet clustering, whose tables are created when they are missing.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="configure">Sets the connection string; the invariant is set already.</param>
    public static ISiloBuilder UsePostgreSqlClustering(this ISiloBuilder builder, Action<OptionsBuilder<AdoNetClusteringSiloOptions>> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.AddSingleton<PostgreSqlClusteringSection>();

        // Before Orleans' own, which know less.
        builder.Services.AddTransient<IConfigurationValidator, PostgreSqlClusteringValidator>();
        builder.UseAdoNetClustering((OptionsBuilder<AdoNetClusteringSiloOptions> options) =>
        {
            options.Configure(target => target.Invariant = PostgreSqlClustering.Invariant);
            configure(options);
        });
        return builder.AddPostgreSqlClusteringTables();
    }

    /// <summary>Has Orleans' AdoNet clustering find its tables: they are created at the start when they are missing. It does nothing for other databases than PostgreSQL.</summary>
    /// <param name="builder">The silo, whose AdoNet clustering is configured elsewhere.</param>
    public static ISiloBuilder AddPostgreSqlClusteringTables(this ISiloBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        DatabaseStart.AddTo(builder.Services);
        builder.Services.AddSingleton<IPostConfigureOptions<AdoNetClusteringSiloOptions>, PostgreSqlClusteringWithoutKerberos>();
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, PostgreSqlClusteringTables>();
        return builder;
    }
}
