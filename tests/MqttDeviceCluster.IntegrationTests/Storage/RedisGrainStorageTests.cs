using System.Text;
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

/// <summary>Orleans' Redis storage as this host sees it.</summary>
public sealed class RedisGrainStorageTests(SharedServers servers)
{
    private const string Name = "Default";
    private static readonly GrainType Type = GrainType.Create("device");

    public sealed class Text
    {
        public string Value { get; set; } = "";
    }

    [Fact]
    public async Task WriteStateAsync_ThenReadAndScan_GivesTheState()
    {
        await using Store store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();

        // UTF-16 sorts U+E000 after U+10000, UTF-8 before it; and signs that mean something in a pattern.
        string[] keys = ["a", "0a", "A", "00a", "a/b", "a*", "a?", "[a]", "\\", "ä", "\0", "\uE000", "\U00010000", "b"];
        foreach (var key in keys)
        {
            await store.WriteAsync(key, key);
            await store.Storage.WriteStateAsync("other", GrainId.Create(Type, key), new GrainState<Text>(new Text { Value = "other name" }));
            await store.Storage.WriteStateAsync("state", GrainId.Create(GrainType.Create("Device"), key), new GrainState<Text>(new Text { Value = "other type" }));
        }

        foreach (var key in keys)
        {
            GrainState<Text> state = new(new Text());
            await store.Storage.ReadStateAsync("state", GrainId.Create(Type, key), state);
            Assert.Equal((key, true), (state.State?.Value, state.RecordExists));
        }

        var inOrder = keys.OrderBy(Encoding.UTF8.GetBytes, Comparer<byte[]>.Create(static (left, right) => left.AsSpan().SequenceCompareTo(right))).ToArray();
        foreach (var prefix in (string[])["", "a", "a*", "[", "\\", "nothing"])
        {
            foreach (var size in (int[])[1, 3, 100])
            {
                Assert.Equal(inOrder.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)), (await store.ScanAsync(prefix, size)).Select(record => record.Key));
            }
        }

        Assert.All(await store.ScanAsync("", 5), record => Assert.Equal(record.Key, record.State.Value));
        Assert.Equal("""{"Value":"a"}""", await store.Redis.GetDatabase().HashGetAsync($"{store.ServiceId}/state/device/a/state", "data"));
    }

    [Fact]
    public async Task WriteStateAsync_StaleETag_ThrowsInconsistentStateAndIsNoFailureOfTheStore()
    {
        await using Store store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();
        await store.WriteAsync("a", "1");

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.WriteAsync("a", "2"));

        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task ScanAsync_RecordsClearedAndUnreadable_AreLeftOut()
    {
        await using Store store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();
        foreach (var key in (string[])["a", "b", "c", "d"])
        {
            await store.WriteAsync(key, key);
        }

        await store.Redis.GetDatabase().HashSetAsync($"{store.ServiceId}/state/device/b/state", "data", "{");
        GrainState<Text> state = new(new Text());
        await store.Storage.ReadStateAsync("state", GrainId.Create(Type, "c"), state);
        await store.Storage.ClearStateAsync("state", GrainId.Create(Type, "c"), state);

        Assert.Equal(["a", "d"], (await store.ScanAsync("", 10)).Select(record => record.Key));
        Assert.Equal(
            "A scan of grain storage 'Default' left out 1 records of state 'state' that cannot be deserialized; the first is of grain 'device/b'.",
            Assert.Single(store.Logs.At(LogLevel.Warning)));
        await Assert.ThrowsAsync<GrainStateException>(() => store.Storage.ReadStateAsync("state", GrainId.Create(Type, "b"), new GrainState<Text>(new Text())));
        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task Store_ServerStoppedAndStarted_FailsAndHealsWithoutAWrite()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using Store store = new(server, "service", timeout: 1000);
        await store.StartAsync();
        await store.WriteAsync("a", "1");
        await server.StopAsync();

        var write = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.WriteAsync("b", "1"));
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.ScanAsync("", 10));

        Assert.StartsWith($"Grain storage 'Default' could not write to Redis at 127.0.0.1:{server.Port}: ", write.Message, StringComparison.Ordinal);
        Assert.True(store.Status.IsFailing);
        await server.StartAsync();
        var started = TimeProvider.System.GetTimestamp();
        while (store.Status.IsFailing)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(30), $"the store did not recover: {store.Status.Problem}");

            // The status is a property that a health endpoint polls; so does the test.
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        await store.WriteAsync("b", "1");
        Assert.Equal(["a", "b"], (await store.ScanAsync("", 10)).Select(record => record.Key));
    }

    [Fact]
    public async Task Store_ServerRefusesWrites_IsFailingThoughReadsGoOn()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using Store store = new(server, "service");
        await store.StartAsync();
        await store.WriteAsync("a", "1");
        await store.Redis.GetServers().Single().ConfigSetAsync("maxmemory", "1");

        var write = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.WriteAsync("b", "1"));

        Assert.Contains("OOM", write.Message, StringComparison.Ordinal);
        Assert.True(store.Status.IsFailing);
        Assert.Single(await store.ScanAsync("", 10));
        Assert.True(store.Status.IsFailing);
    }

    /// <summary>The provider as a silo has it, and a connection of the test's own.</summary>
    private sealed class Store : IAsyncDisposable
    {
        private readonly ServiceProvider _services;
        private readonly SiloLifecycleSubject _lifecycle;
        private ConnectionMultiplexer? _redis;

        public Store(RedisServer server, string serviceId, int timeout = 5000)
        {
            ServiceId = serviceId;
            ConnectionString = server.ConnectionString;
            OpenStore.TestSiloBuilder builder = new();
            builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Information).AddProvider(Logs));
            builder.Services.AddSerializer();
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
            var scanner = _services.GetRequiredKeyedService<IGrainStateScanner>(Name);
            List<GrainStateRecord<Text>> records = [];
            string? continuation = null;
            do
            {
                var page = await scanner.ScanAsync<Text>(Type, "state", prefix, continuation, pageSize, TestContext.Current.CancellationToken);
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
    }
}
