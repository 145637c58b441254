using System.Text;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage.Redis;
using StackExchange.Redis;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>What is particular to scans of a store that has no order.</summary>
public sealed class RedisScanTests(SharedServers servers)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task ScanAsync_StrangersKeyThatIsNoUtf8_EndsWithoutIt()
    {
        await using RedisStore store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();
        await store.WriteAsync("a", "a");

        // As text it ends in U+FFFD, which sorts before the byte that it stands for: a scan that goes on after that text comes by this key again.
        RedisKey stranger = (byte[])[.. Encoding.UTF8.GetBytes($"{store.ServiceId}/state/device/b"), 0xFF, .. "/state"u8];
        await store.Redis.GetDatabase().HashSetAsync(stranger, "data", """{"Value":"b"}""");
        await store.WriteAsync("c\uFFFE", "c");

        List<string> found = [];
        string? continuation = null;
        for (var pages = 0; pages == 0 || continuation is not null; pages++)
        {
            Assert.True(pages < 10, $"it does not end: {string.Join(' ', found)}");
            var page = await store.Scanner.ScanAsync<RedisStore.Text>(RedisStore.Type, "state", null, continuation, 1, TestContext.Current.CancellationToken);
            found.AddRange(page.Records.Select(record => record.Key));
            continuation = page.Continuation;
        }

        Assert.Equal(["a", "c\uFFFE"], found);
    }

    [Fact]
    public async Task ScanAsync_BigRecords_EndThePageEarly()
    {
        await using RedisStore store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();
        foreach (var key in (string[])["a", "b", "c"])
        {
            await store.WriteAsync(key, new string('x', 5_000_000));
        }

        var first = await store.Scanner.ScanAsync<RedisStore.Text>(RedisStore.Type, "state", null, null, 100, TestContext.Current.CancellationToken);
        var second = await store.Scanner.ScanAsync<RedisStore.Text>(RedisStore.Type, "state", null, first.Continuation, 100, TestContext.Current.CancellationToken);

        Assert.Equal(["a", "b"], first.Records.Select(record => record.Key));
        Assert.Equal(["c"], second.Records.Select(record => record.Key));
        Assert.Null(second.Continuation);
    }

    [Fact]
    public async Task ScanAsync_WalkThroughTheKeysTakesLong_IsNoStallOfTheStore()
    {
        FakeTimeProvider time = new();
        await using var server = await RedisServer.StartNewAsync();
        await using RedisStore store = new(server, "service", timeout: 30_000, timeProvider: time);
        await store.StartAsync();
        await store.WriteAsync("a", "a");
        await server.SuspendAsync();
        var scan = store.ScanAsync("", 10);

        time.Advance(TimeSpan.FromSeconds(10));

        Assert.Null(store.Status.Problem);
        await server.ResumeAsync();
        Assert.Single(await scan.WaitAsync(Bound, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GetAsync_ScansThatBeginDuringAWalk_ShareTheNextOne()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using RedisStore store = new(server, "service");
        await store.StartAsync();
        await using var connection = Connect(server, store.ServiceId);
        await connection.ConnectAsync();
        await using RedisKeyLists lists = new(connection, TimeProvider.System);
        RedisKeys keys = new(store.ServiceId, "device", "state");

        // No walk ends before all have asked.
        await server.SuspendAsync();
        var first = lists.GetAsync(keys, ("device", "state"), isFirst: true);
        var others = Enumerable.Range(0, 5).Select(_ => lists.GetAsync(keys, ("device", "state"), isFirst: true)).Distinct().ToList();
        await server.ResumeAsync();

        Assert.Empty(await first);
        Assert.Empty(await Assert.Single(others));
        Assert.NotSame(first, others[0]);
        await store.WriteAsync("a", "a");
        var fresh = await lists.GetAsync(keys, ("device", "state"), isFirst: true);
        Assert.Single(fresh);
        Assert.Same(fresh, await lists.GetAsync(keys, ("device", "state"), isFirst: false));
    }

    [Fact]
    public async Task GetAsync_NobodyAsksAgain_TheListIsDropped()
    {
        FakeTimeProvider time = new();
        var server = await servers.RedisAsync();
        await using var connection = Connect(server, "service");
        await using RedisKeyLists lists = new(connection, time);
        foreach (var name in (string[])["one", "other"])
        {
            await lists.GetAsync(new("service", "device", name), ("device", name), isFirst: true);
        }

        time.Advance(RedisKeyLists.Lifetime / 2);
        await lists.GetAsync(new("service", "device", "one"), ("device", "one"), isFirst: false);
        time.Advance(RedisKeyLists.Lifetime / 2);
        Assert.Equal(1, lists.Count);

        time.Advance(RedisKeyLists.Lifetime);

        Assert.Equal(0, lists.Count);
    }

    [Fact]
    public async Task DisposeAsync_WhileItConnects_ClosesTheConnectionThatComes()
    {
        await using var connection = Connect(await servers.RedisAsync(), "service");
        var connecting = connection.ConnectAsync();

        await connection.DisposeAsync();

        var multiplexer = await connecting;
        var started = TimeProvider.System.GetTimestamp();
        while (multiplexer.IsConnected)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Bound, "the connection stays");

            // It has no event for its own end.
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.Throws<ObjectDisposedException>(() => { _ = connection.ConnectAsync(); });
    }

    private static RedisConnection Connect(RedisServer server, string serviceId) => new(ConfigurationOptions.Parse(server.ConnectionString), serviceId, RedisStore.Name);
}
