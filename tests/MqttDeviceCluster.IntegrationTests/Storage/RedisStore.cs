using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Tests.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;
using StackExchange.Redis;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>The provider as a silo has it, and a connection of the test's own.</summary>
internal sealed class RedisStore : IAsyncDisposable
{
    public const string Name = "Default";
    public static readonly GrainType Type = GrainType.Create("device");

    private readonly ServiceProvider _services;
    private readonly SiloLifecycleSubject _lifecycle;
    private ConnectionMultiplexer? _redis;

    public RedisStore(RedisServer server, string serviceId, int timeout = 5000, TimeProvider? timeProvider = null)
    {
        ServiceId = serviceId;
        ConnectionString = server.ConnectionString;
        OpenStore.TestSiloBuilder builder = new();
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Information).AddProvider(Logs));
        builder.Services.AddSerializer();
        builder.Services.AddSingleton(timeProvider ?? TimeProvider.System);
        builder.Services.Configure<ClusterOptions>(options => options.ServiceId = serviceId);
        builder.AddRedisGrainStorage(Name, options =>
        {
            options.ConfigurationOptions = ConfigurationOptions.Parse(ConnectionString);
            options.ConfigurationOptions.AsyncTimeout = timeout;
            options.ConfigurationOptions.SyncTimeout = timeout;
        });
        builder.ObserveRedisGrainStorage(Name);
        _services = builder.Services.BuildServiceProvider();
        _lifecycle = ActivatorUtilities.CreateInstance<SiloLifecycleSubject>(_services);
        foreach (var participant in _services.GetServices<ILifecycleParticipant<ISiloLifecycle>>())
        {
            participant.Participate(_lifecycle);
        }
    }

    public string ServiceId { get; }

    public string ConnectionString { get; }

    public LogCollector Logs { get; } = new();

    public ConnectionMultiplexer Redis => _redis ?? throw new InvalidOperationException("Not started.");

    public IGrainStorage Storage => _services.GetRequiredKeyedService<IGrainStorage>(Name);

    public IGrainStateScanner Scanner => _services.GetRequiredKeyedService<IGrainStateScanner>(Name);

    public IGrainStorageStatus Status => _services.GetRequiredKeyedService<IGrainStorageStatus>(Name);

    public async Task StartAsync()
    {
        await _lifecycle.OnStart(TestContext.Current.CancellationToken);
        var options = ConfigurationOptions.Parse(ConnectionString);
        options.AllowAdmin = true;
        _redis = await ConnectionMultiplexer.ConnectAsync(options);
    }

    public Task WriteAsync(string key, string value) =>
        Storage.WriteStateAsync("state", GrainId.Create(Type, key), new GrainState<Text>(new Text { Value = value }));

    public async Task<List<GrainStateRecord<Text>>> ScanAsync(string prefix, int pageSize)
    {
        List<GrainStateRecord<Text>> records = [];
        string? continuation = null;
        do
        {
            var page = await Scanner.ScanAsync<Text>(Type, "state", prefix, continuation, pageSize, TestContext.Current.CancellationToken);
            Assert.True(page.Records.Count <= pageSize);
            records.AddRange(page.Records);
            continuation = page.Continuation;
        }
        while (continuation is not null);
        return records;
    }

    public async ValueTask DisposeAsync()
    {
        await _lifecycle.OnStop(CancellationToken.None);
        await _services.DisposeAsync();
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }
    }

    public sealed class Text
    {
        public string Value { get; set; } = "";
    }
}
