using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>A storage provider on a file of its own, registered as a silo registers it but without the silo.</summary>
internal sealed class TestStore : IAsyncDisposable
{
    public const string Name = "devices";

    private readonly ServiceProvider _services;

    private TestStore(ServiceProvider services, string path, LogCollector logs)
    {
        _services = services;
        Path = path;
        Logs = logs;
        Storage = services.GetRequiredKeyedService<IGrainStorage>(Name);
        Status = services.GetRequiredKeyedService<IGrainStorageStatus>(Name);
    }

    public string Path { get; }

    public LogCollector Logs { get; }

    public IGrainStorage Storage { get; }

    public IGrainStorageStatus Status { get; }

    public IServiceProvider Services => _services;

    public static string NewPath() => System.IO.Path.Combine(Directory.CreateTempSubdirectory("storage-").FullName, "data", "cluster.db");

    public static GrainId Device(string key, string type = "device") => GrainId.Create(type, key);

    public static async Task<TestStore> OpenAsync(
        string? path = null,
        Action<SqliteGrainStorageOptions>? configure = null,
        string serviceId = "service",
        TimeProvider? timeProvider = null,
        Action<IServiceCollection>? services = null)
    {
        path ??= NewPath();
        LogCollector logs = new();
        TestSiloBuilder builder = new();
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Information).AddProvider(logs));
        builder.Services.AddSerializer();
        builder.Services.Configure<ClusterOptions>(options => options.ServiceId = serviceId);
        builder.Services.AddSingleton(timeProvider ?? TimeProvider.System);
        services?.Invoke(builder.Services);
        builder.AddSqliteGrainStorage(Name, options =>
        {
            options.DataSource = path;
            options.BusyTimeout = TimeSpan.FromMilliseconds(20);
            configure?.Invoke(options);
        });
        var provider = builder.Services.BuildServiceProvider();
        try
        {
            foreach (var validator in provider.GetServices<IConfigurationValidator>())
            {
                validator.ValidateConfiguration();
            }

            TestStore store = new(provider, path, logs);
            await ((GroupCommitGrainStorage)store.Storage).OpenAsync(TestContext.Current.CancellationToken);
            return store;
        }
        catch
        {
            await provider.DisposeAsync();
            throw;
        }
    }

    public async Task<TestState<T>> ReadAsync<T>(GrainId id, string stateName = "state")
        where T : class, new()
    {
        TestState<T> state = new(new T());
        await Storage.ReadStateAsync(stateName, id, state);
        return state;
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

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    public sealed class TestSiloBuilder(IConfiguration? configuration = null) : ISiloBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IConfiguration Configuration { get; } = configuration ?? new ConfigurationBuilder().Build();
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

/// <summary>Keeps what was logged.</summary>
internal sealed class LogCollector : ILoggerProvider, ILogger
{
    public ConcurrentQueue<(LogLevel Level, string Message, Exception? Exception)> Entries { get; } = new();

    public IEnumerable<string> At(LogLevel level) => Entries.Where(entry => entry.Level == level).Select(entry => entry.Message);

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Entries.Enqueue((logLevel, formatter(state, exception), exception));

    public void Dispose()
    {
    }
}
