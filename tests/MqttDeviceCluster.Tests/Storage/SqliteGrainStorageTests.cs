using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using Orleans.Serialization;
using static MqttDeviceCluster.Tests.Storage.OpenStore;

namespace MqttDeviceCluster.Tests.Storage;

public sealed class SqliteGrainStorageTests : GrainStorageContract
{
    [Fact]
    public async Task WriteStateAsync_KeysWithNul_AreDifferentRecords()
    {
        await using var store = await TestStore.OpenAsync();
        string[] keys = ["a", "a\0", "a\0b", "\0"];
        for (var i = 0; i < keys.Length; i++)
        {
            await store.Storage.WriteStateAsync("state", Device(keys[i]), new TestState<Counter>(new Counter { Value = i }));
        }

        for (var i = 0; i < keys.Length; i++)
        {
            Assert.Equal(i, (await store.ReadAsync<Counter>(Device(keys[i]))).State.Value);
        }
    }

    [Fact]
    public async Task DisposeAsync_Always_FoldsTheLogIntoTheFile()
    {
        var store = await TestStore.OpenAsync();
        await store.Storage.WriteStateAsync("state", Device("a"), new TestState<Counter>(new Counter()));
        await store.DisposeAsync();

        Assert.False(File.Exists($"{store.Path}-wal"), "the log was not folded into the file");
    }

    [Fact]
    public async Task Exceptions_ThroughTheOrleansSerializer_KeepTheirTypeAndText()
    {
        await using var store = await TestStore.OpenAsync();
        var serializer = store.Services.GetRequiredService<Serializer>();

        var unavailable = serializer.Deserialize<Exception>(
            serializer.SerializeToArray<Exception>(new GrainStorageUnavailableException("p", "the disk is full")));
        var refused = serializer.Deserialize<Exception>(serializer.SerializeToArray<Exception>(new GrainStateException("p", "too big")));

        Assert.Equal(("p", "the disk is full"), (Assert.IsType<GrainStorageUnavailableException>(unavailable).ProviderName, unavailable.Message));
        Assert.Equal(("p", "too big"), (Assert.IsType<GrainStateException>(refused).ProviderName, refused.Message));
    }

    private protected override Task<IStoreHome> NewHomeAsync() => Task.FromResult<IStoreHome>(new SqliteHome());
}
