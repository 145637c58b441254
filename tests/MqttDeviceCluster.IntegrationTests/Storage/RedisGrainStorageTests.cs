using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage;
using Orleans.Storage;
using StackExchange.Redis;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>Orleans' Redis storage as this host sees it.</summary>
public sealed class RedisGrainStorageTests(SharedServers servers)
{
    private static readonly GrainType Type = RedisStore.Type;

    [Fact]
    public async Task WriteStateAsync_ThenReadAndScan_GivesTheState()
    {
        await using RedisStore store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();

        // UTF-16 sorts U+E000 after U+10000, UTF-8 before it; and signs that mean something in a pattern.
        string[] keys = ["a", "0a", "A", "00a", "a/b", "a*", "a?", "[a]", "\\", "ä", "\0", "\uE000", "\U00010000", "b"];
        foreach (var key in keys)
        {
            await store.WriteAsync(key, key);
            await store.Storage.WriteStateAsync("other", GrainId.Create(Type, key), new GrainState<RedisStore.Text>(new RedisStore.Text { Value = "other name" }));
            await store.Storage.WriteStateAsync("state", GrainId.Create(GrainType.Create("Device"), key), new GrainState<RedisStore.Text>(new RedisStore.Text { Value = "other type" }));
        }

        foreach (var key in keys)
        {
            GrainState<RedisStore.Text> state = new(new RedisStore.Text());
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
        await using RedisStore store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();
        await store.WriteAsync("a", "1");

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.WriteAsync("a", "2"));

        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task ScanAsync_RecordsClearedAndUnreadable_AreLeftOut()
    {
        await using RedisStore store = new(await servers.RedisAsync(), $"s-{Guid.NewGuid():N}");
        await store.StartAsync();
        foreach (var key in (string[])["a", "b", "c", "d"])
        {
            await store.WriteAsync(key, key);
        }

        await store.Redis.GetDatabase().HashSetAsync($"{store.ServiceId}/state/device/b/state", "data", "{");
        GrainState<RedisStore.Text> state = new(new RedisStore.Text());
        await store.Storage.ReadStateAsync("state", GrainId.Create(Type, "c"), state);
        await store.Storage.ClearStateAsync("state", GrainId.Create(Type, "c"), state);

        Assert.Equal(["a", "d"], (await store.ScanAsync("", 10)).Select(record => record.Key));
        Assert.Equal(
            "A scan of grain storage 'Default' left out 1 records of state 'state' that cannot be deserialized; the first is of grain 'device/b'.",
            Assert.Single(store.Logs.At(LogLevel.Warning)));
        await Assert.ThrowsAsync<GrainStateException>(() => store.Storage.ReadStateAsync("state", GrainId.Create(Type, "b"), new GrainState<RedisStore.Text>(new RedisStore.Text())));
        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task Store_ServerStoppedAndStarted_FailsAndHealsWithoutAWrite()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using RedisStore store = new(server, "service", timeout: 1000);
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
        await using RedisStore store = new(server, "service");
        await store.StartAsync();
        await store.WriteAsync("a", "1");
        await store.Redis.GetServers().Single().ConfigSetAsync("maxmemory", "1");

        var write = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.WriteAsync("b", "1"));

        Assert.Contains("OOM", write.Message, StringComparison.Ordinal);
        Assert.True(store.Status.IsFailing);
        Assert.Single(await store.ScanAsync("", 10));
        Assert.True(store.Status.IsFailing);
    }
}
