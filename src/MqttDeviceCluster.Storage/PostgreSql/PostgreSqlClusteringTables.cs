using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage.Hosting;
using Npgsql;
using Orleans.Configuration;

namespace MqttDeviceCluster.Storage.PostgreSql;

/// <summary>Creates the tables of Orleans' AdoNet clustering when they are missing, before Orleans reads them.</summary>
internal sealed partial class PostgreSqlClusteringTables(IOptions<AdoNetClusteringSiloOptions> options, DatabaseStart start, ILogger<PostgreSqlClusteringTables> logger)
    : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(PostgreSqlClusteringTables), ServiceLifecycleStage.RuntimeInitialize, EnsureAsync);

    private async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Invariant != PostgreSqlClustering.Invariant || string.IsNullOrWhiteSpace(options.Value.ConnectionString))
        {
            // Another database, or a data source: its tables are the host's business.
            return;
        }

        NpgsqlConnectionStringBuilder builder = new(options.Value.ConnectionString) { Pooling = false, Enlist = false };
        var location = PostgreSqlConnectionString.Describe(builder);
        await start.OpenAsync(
            token => EnsureAsync(builder.ConnectionString, token),
            PostgreSqlReasons.IsAway,
            cause => new ClusteringUnavailableException($"Clustering cannot use {location}: {PostgreSqlReasons.Explain(cause)}.", cause),
            cancellationToken);
        LogReady(location);
    }

    private static async Task EnsureAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = new(connectionString);
        await connection.OpenAsync(cancellationToken);
        await PostgreSqlSchema.EnsureAsync(connection, PostgreSqlScript.Clustering, cancellationToken);

        // What Orleans is about to do: a role without a grant learns it here, in words.
        foreach (var table in (string[])["OrleansQuery", "OrleansMembershipVersionTable", "OrleansMembershipTable"])
        {
            await using NpgsqlCommand command = new($"SELECT FROM {table} LIMIT 1", connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Information, "Clustering over {Location}.")]
    private partial void LogReady(string location);
}
