using System.Collections.Concurrent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>A storage provider, registered as a silo registers it but without the silo.</summary>
#pragma warning disable CA1852 // The file is compiled into two projects, and one of them derives from it.
internal class OpenStore : IAsyncDisposable
#pragma warning restore CA1852
{
    public const string Name = "devices";

    private readonly ServiceProvider _services;

    protected OpenStore(ServiceProvider services, LogCollector logs)
    {
        _services = services;
        Logs = logs;
        Storage = services.GetRequiredKeyedService<IGrainStorage>(Name);
        Status = services.GetRequiredKeyedService<IGrainStorageStatus>(Name);
        Scanner = services.GetRequiredKeyedService<IGrainStateScanner>(Name);
    }

    public LogCollector Logs { get; }

    public IGrainStorage Storage { get; }

    public IGrainStorageStatus Status { get; }

    public IGrainStateScanner Scanner { get; }

    public IServiceProvider Services => _services;

    public static GrainId Device(string key, string type = "device") => GrainId.Create(type, key);

    public static Task<OpenStore> OpenAsync(StoreOptions options, Action<ISiloBuilder> add) =>
        OpenAsync(options, add, static (services, logs) => new OpenStore(services, logs));

    public async Task<TestState<T>> ReadAsync<T>(GrainId id, string stateName = "state")
        where T : class, new()
    {
        TestState<T> state = new(new T());
        await Storage.ReadStateAsync(stateName, id, state);
        return state;
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    protected static async Task<TStore> OpenAsync<TStore>(StoreOptions options, Action<ISiloBuilder> add, Func<ServiceProvider, LogCollector, TStore> create)
        where TStore : OpenStore
    {
        LogCollector logs = new();
        TestSiloBuilder builder = new();
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Information).AddProvider(logs));
        builder.Services.AddSerializer();
        builder.Services.Configure<ClusterOptions>(cluster => cluster.ServiceId = options.ServiceId);
        builder.Services.AddSingleton(options.TimeProvider);
        add(builder);
        var provider = builder.Services.BuildServiceProvider();
        try
        {
            foreach (var validator in provider.GetServices<IConfigurationValidator>())
            {
                validator.ValidateConfiguration();
            }

            var store = create(provider, logs);
            await ((GroupCommitGrainStorage)store.Storage).OpenAsync(TestContext.Current.CancellationToken);
            return store;
        }
        catch
        {
            await provider.DisposeAsync();
            throw;
        }
    }

    public sealed class TestSiloBuilder(IConfiguration? configuration = null) : ISiloBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IConfiguration Configuration { get; } = configuration ?? new ConfigurationBuilder().Build();
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
