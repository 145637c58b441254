using MqttDeviceCluster.Storage.PostgreSql;
using Npgsql;
using Orleans.Configuration;

namespace MqttDeviceCluster.Tests.Storage;

public sealed class PostgreSqlConnectionStringTests
{
    [Theory]
    [InlineData("Host=db", GssEncryptionMode.Disable)]
    [InlineData("Host=db;GSS Encryption Mode=Prefer", GssEncryptionMode.Prefer)]
    [InlineData("Host=db;gss encryption mode=require", GssEncryptionMode.Require)]
    public void Clustering_UsesKerberosOnlyWhereItIsAskedFor(string connectionString, GssEncryptionMode expected) =>
        Assert.Equal(expected, new NpgsqlConnectionStringBuilder(Configured("Npgsql", connectionString)).GssEncryptionMode);

    [Theory]
    [InlineData("Npgsql", "Hots=db")]
    [InlineData("Microsoft.Data.SqlClient", "Server=db")]
    public void Clustering_NotValidOrNotPostgreSql_LeavesTheConnectionString(string invariant, string connectionString) =>
        Assert.Equal(connectionString, Configured(invariant, connectionString));

    private static string Configured(string invariant, string connectionString)
    {
        AdoNetClusteringSiloOptions options = new() { Invariant = invariant, ConnectionString = connectionString };
        new PostgreSqlClusteringWithoutKerberos().PostConfigure(null, options);
        return options.ConnectionString;
    }
}
