using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.PostgreSql;
using MqttDeviceCluster.Tests.Storage;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>A database for stores to be opened on.</summary>
internal sealed class PostgreSqlHome(string connectionString) : IStoreHome
{
    public string ConnectionString => connectionString;

    public string Table => "mdc_grain_state";

    public static async Task<PostgreSqlHome> NewAsync(SharedServers servers) => new(await (await servers.PostgreSqlAsync()).CreateDatabaseAsync());

    public Task<OpenStore> OpenAsync(StoreOptions? options = null)
    {
        options ??= new();
        return OpenStore.OpenAsync(options, builder => builder.AddPostgreSqlGrainStorage(OpenStore.Name, target =>
        {
            target.ConnectionString = connectionString;
            target.MaxPendingOperations = options.MaxPendingOperations ?? target.MaxPendingOperations;
            target.GrainStorageSerializer = options.Serializer ?? target.GrainStorageSerializer;
        }));
    }

    public async Task<IGrainStateStore> OpenBareAsync()
    {
        PostgreSqlGrainStateStore store = new(new PostgreSqlGrainStorageOptions { ConnectionString = connectionString }, TimeProvider.System);
        await store.OpenAsync(TestContext.Current.CancellationToken);
        return store;
    }

    public void Execute(string sql)
    {
        using NpgsqlConnection connection = new(Unpooled());
        connection.Open();
        using NpgsqlCommand command = new(sql, connection);
        command.ExecuteNonQuery();
    }

    public object? Scalar(string sql)
    {
        using NpgsqlConnection connection = new(Unpooled());
        connection.Open();
        using NpgsqlCommand command = new(sql, connection);
        return command.ExecuteScalar();
    }

    private string Unpooled() => new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;
}
