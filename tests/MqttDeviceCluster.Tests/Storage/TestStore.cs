using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Sqlite;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>A SQLite storage provider on a file of its own.</summary>
internal sealed class TestStore : OpenStore
{
    private TestStore(ServiceProvider services, string path, LogCollector logs)
        : base(services, logs) => Path = path;

    public string Path { get; }

    public static string NewPath() => System.IO.Path.Combine(Directory.CreateTempSubdirectory("storage-").FullName, "data", "cluster.db");

    public static async Task<TestStore> OpenAsync(
        string? path = null,
        Action<SqliteGrainStorageOptions>? configure = null,
        string serviceId = "service",
        TimeProvider? timeProvider = null,
        Action<IServiceCollection>? services = null)
    {
        path ??= NewPath();
        return await OpenAsync(
            new StoreOptions { ServiceId = serviceId, TimeProvider = timeProvider ?? TimeProvider.System },
            builder =>
            {
                services?.Invoke(builder.Services);
                builder.AddSqliteGrainStorage(Name, options =>
                {
                    options.DataSource = path;
                    options.BusyTimeout = TimeSpan.FromMilliseconds(20);
                    configure?.Invoke(options);
                });
            },
            (provider, logs) => new TestStore(provider, path, logs));
    }

    /// <summary>A connection as another process would have it.</summary>
    public SqliteConnection Connect()
    {
        SqliteConnection connection = new($"Data Source={Path};Pooling=false;Default Timeout=1");
        connection.Open();
        return connection;
    }

    public void Execute(string sql)
    {
        using var connection = Connect();
        connection.Execute(sql);
    }
}

/// <summary>A file for stores to be opened on.</summary>
internal sealed class SqliteHome : IStoreHome
{
    private readonly string _path = TestStore.NewPath();

    public string Table => "grain_state";

    public async Task<OpenStore> OpenAsync(StoreOptions? options = null) => await TestStore.OpenAsync(
        _path,
        target =>
        {
            target.MaxPendingOperations = options?.MaxPendingOperations ?? target.MaxPendingOperations;
            target.GrainStorageSerializer = options?.Serializer ?? target.GrainStorageSerializer;
        },
        options?.ServiceId ?? "service",
        options?.TimeProvider);

    public async Task<IGrainStateStore> OpenBareAsync()
    {
        SqliteGrainStateStore store = new("bare", new SqliteGrainStorageOptions { DataSource = _path }, TimeProvider.System);
        await store.OpenAsync(TestContext.Current.CancellationToken);
        return store;
    }

    public void Execute(string sql)
    {
        using var connection = Connect();
        connection.Execute(sql);
    }

    public object? Scalar(string sql)
    {
        using var connection = Connect();
        return connection.Scalar(sql);
    }

    private SqliteConnection Connect()
    {
        SqliteConnection connection = new($"Data Source={_path};Pooling=false;Default Timeout=1");
        connection.Open();
        return connection;
    }
}

internal static class SqliteTestExtensions
{
    public static void Execute(this SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public static object? Scalar(this SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
