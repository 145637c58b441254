using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using Orleans.Serialization;
using Orleans.Storage;
using static MqttDeviceCluster.Tests.Storage.TestStore;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>What Orleans expects of any grain storage.</summary>
public sealed class SqliteGrainStorageTests
{
    public sealed class Counter
    {
        public int Value { get; set; }
    }

    [Fact]
    public async Task ReadStateAsync_NoRecord_GivesNewStateWithoutETag()
    {
        await using var store = await OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 7 }, "left over") { RecordExists = true };

        await store.Storage.ReadStateAsync("state", Device("a"), state);

        Assert.False(state.RecordExists);
        Assert.Null(state.ETag);
        Assert.Equal(0, state.State.Value);
    }

    [Fact]
    public async Task WriteStateAsync_ThenRead_GivesTheStateAndItsETagAlsoAfterARestart()
    {
        var path = NewPath();
        TestState<Counter> written = new(new Counter { Value = 1 });
        await using (var store = await OpenAsync(path))
        {
            await store.Storage.WriteStateAsync("state", Device("a"), written);
            Assert.True(written.RecordExists);
            Assert.NotNull(written.ETag);
            var read = await store.ReadAsync<Counter>(Device("a"));
            Assert.Equal((1, written.ETag, true), (read.State.Value, read.ETag, read.RecordExists));
        }

        await using var reopened = await OpenAsync(path);
        var again = await reopened.ReadAsync<Counter>(Device("a"));
        Assert.Equal((1, written.ETag, true), (again.State.Value, again.ETag, again.RecordExists));
        again.State = new Counter { Value = 2 };
        await reopened.Storage.WriteStateAsync("state", Device("a"), again);
        Assert.NotEqual(written.ETag, again.ETag);
        Assert.Equal(2, (await reopened.ReadAsync<Counter>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task WriteStateAsync_WithoutETagOverARecord_ThrowsInconsistentState()
    {
        await using var store = await OpenAsync();
        TestState<Counter> first = new(new Counter { Value = 1 });
        await store.Storage.WriteStateAsync("state", Device("a"), first);
        TestState<Counter> second = new(new Counter { Value = 2 });

        var exception = await Assert.ThrowsAsync<InconsistentStateException>(() => store.Storage.WriteStateAsync("state", Device("a"), second));

        Assert.Equal(first.ETag, exception.StoredEtag);
        Assert.Null(exception.CurrentEtag);
        Assert.Null(exception.InnerException);
        Assert.Equal((null, false), (second.ETag, second.RecordExists));
        Assert.Equal(1, (await store.ReadAsync<Counter>(Device("a"))).State.Value);
        Assert.False(store.Status.IsFailing);
    }

    [Fact]
    public async Task WriteStateAsync_WithETagButNoRecord_ThrowsInconsistentState()
    {
        await using var store = await OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 2 }, "unknown");

        var exception = await Assert.ThrowsAsync<InconsistentStateException>(() => store.Storage.WriteStateAsync("state", Device("a"), state));

        Assert.Null(exception.StoredEtag);
        Assert.Equal("unknown", exception.CurrentEtag);
        Assert.False((await store.ReadAsync<Counter>(Device("a"))).RecordExists);
    }

    [Fact]
    public async Task WriteStateAsync_StaleETag_ThrowsInconsistentStateAndKeepsTheNewerState()
    {
        await using var store = await OpenAsync();
        TestState<Counter> mine = new(new Counter { Value = 1 });
        await store.Storage.WriteStateAsync("state", Device("a"), mine);
        var theirs = await store.ReadAsync<Counter>(Device("a"));
        var stale = mine.ETag;
        theirs.State.Value = 2;
        await store.Storage.WriteStateAsync("state", Device("a"), theirs);

        mine.State.Value = 3;
        var exception = await Assert.ThrowsAsync<InconsistentStateException>(() => store.Storage.WriteStateAsync("state", Device("a"), mine));

        Assert.Equal((theirs.ETag, stale, stale), (exception.StoredEtag, exception.CurrentEtag, mine.ETag));
        Assert.Equal(2, (await store.ReadAsync<Counter>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task ClearStateAsync_Record_DeletesItAndAWriteWorksAgain()
    {
        await using var store = await OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 1 });
        await store.Storage.WriteStateAsync("state", Device("a"), state);

        await store.Storage.ClearStateAsync("state", Device("a"), state);

        Assert.Equal((0, null, false), (state.State.Value, state.ETag, state.RecordExists));
        Assert.False((await store.ReadAsync<Counter>(Device("a"))).RecordExists);
        using (var connection = store.Connect())
        {
            Assert.Equal(0L, connection.Scalar("SELECT count(*) FROM grain_state"));
        }

        await store.Storage.ClearStateAsync("state", Device("a"), state);
        state.State.Value = 2;
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        Assert.Equal(2, (await store.ReadAsync<Counter>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task ClearStateAsync_StaleOrAbsentETag_ThrowsInconsistentState()
    {
        await using var store = await OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 1 });
        await store.Storage.WriteStateAsync("state", Device("a"), state);

        var absent = await Assert.ThrowsAsync<InconsistentStateException>(
            () => store.Storage.ClearStateAsync("state", Device("a"), new TestState<Counter>(new Counter())));
        var stale = await Assert.ThrowsAsync<InconsistentStateException>(
            () => store.Storage.ClearStateAsync("state", Device("a"), new TestState<Counter>(new Counter(), "stale")));
        var nothing = await Assert.ThrowsAsync<InconsistentStateException>(
            () => store.Storage.ClearStateAsync("state", Device("b"), new TestState<Counter>(new Counter(), "stale")));

        Assert.Equal((state.ETag, null), (absent.StoredEtag, absent.CurrentEtag));
        Assert.Equal((state.ETag, "stale"), (stale.StoredEtag, stale.CurrentEtag));
        Assert.Equal((null, "stale"), (nothing.StoredEtag, nothing.CurrentEtag));
        Assert.True((await store.ReadAsync<Counter>(Device("a"))).RecordExists);
    }

    [Fact]
    public async Task WriteStateAsync_ETagFromBeforeAClear_NeverMatchesTheRecordWrittenAnew()
    {
        await using var store = await OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 1 });
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        TestState<Counter> sleeper = new(new Counter { Value = 99 }, state.ETag) { RecordExists = true };
        await store.Storage.ClearStateAsync("state", Device("a"), state);
        await store.Storage.WriteStateAsync("state", Device("a"), state);

        await Assert.ThrowsAsync<InconsistentStateException>(() => store.Storage.WriteStateAsync("state", Device("a"), sleeper));
    }

    [Fact]
    public async Task WriteStateAsync_SixIdsThatLookAlike_AreSixRecords()
    {
        string[] ids = ["0a", "a", "A", "00a", "0012", "12"];
        var path = NewPath();
        await using (var store = await OpenAsync(path))
        {
            for (var i = 0; i < ids.Length; i++)
            {
                await store.Storage.WriteStateAsync("state", Device(ids[i]), new TestState<Counter>(new Counter { Value = i + 1 }));
            }
        }

        await using var reopened = await OpenAsync(path);
        for (var i = 0; i < ids.Length; i++)
        {
            Assert.Equal(i + 1, (await reopened.ReadAsync<Counter>(Device(ids[i]))).State.Value);
        }

        using var connection = reopened.Connect();
        Assert.Equal("0012,00a,0a,12,A,a", connection.Scalar("SELECT group_concat(grain_key, ',') FROM (SELECT grain_key FROM grain_state ORDER BY grain_key)"));
    }

    [Fact]
    public async Task WriteStateAsync_AnyPartOfTheKeyDiffers_IsAnotherRecord()
    {
        var path = NewPath();
        await using var store = await OpenAsync(path);
        await using var otherService = await OpenAsync(path, serviceId: "Service");
        (TestStore Store, GrainId Id, string StateName)[] keys =
        [
            (store, Device("a"), "state"),
            (store, Device("a"), "State"),
            (store, Device("a", "Device"), "state"),
            (store, Device("a", "pump"), "state"),
            (store, Device("a "), "state"),
            (store, Device("ä\0/'x"), "state"),
            (store, Device("a\u0308\0/'x"), "state"),
            (otherService, Device("a"), "state"),
        ];
        for (var i = 0; i < keys.Length; i++)
        {
            await keys[i].Store.Storage.WriteStateAsync(keys[i].StateName, keys[i].Id, new TestState<Counter>(new Counter { Value = i }));
        }

        for (var i = 0; i < keys.Length; i++)
        {
            Assert.Equal(i, (await keys[i].Store.ReadAsync<Counter>(keys[i].Id, keys[i].StateName)).State.Value);
        }
    }

    [Fact]
    public async Task WriteStateAsync_IdThatIsNoUtf8_ThrowsArgumentException()
    {
        await using var store = await OpenAsync();
        var id = GrainId.Create(GrainType.Create("device"), new IdSpan([0xFF, 0xFE]));

        await Assert.ThrowsAsync<ArgumentException>(() => store.Storage.WriteStateAsync("state", id, new TestState<Counter>(new Counter())));
    }

    [Fact]
    public async Task WriteStateAsync_StateMutatedAfterTheCall_StoresWhatItWas()
    {
        await using var store = await OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 1 });

        var write = store.Storage.WriteStateAsync("state", Device("a"), state);
        state.State.Value = 2;
        await write;

        Assert.Equal(1, (await store.ReadAsync<Counter>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task WriteStateAsync_ManyWritersManyGrains_EveryWriteIsThereAndSeenAtOnce()
    {
        const int writers = 32;
        const int grains = 10;
        const int writes = 20;
        var path = NewPath();
        await using (var store = await OpenAsync(path, options => options.MaxPendingOperations = 16))
        {
            ConcurrentBag<string> etags = [];
            await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(async () =>
            {
                var states = Enumerable.Range(0, grains).Select(_ => new TestState<Counter>(new Counter())).ToArray();
                for (var i = 1; i <= writes; i++)
                {
                    for (var grain = 0; grain < grains; grain++)
                    {
                        states[grain].State.Value = i;
                        await store.Storage.WriteStateAsync("state", Device($"{writer}-{grain}"), states[grain]);
                        etags.Add(states[grain].ETag!);
                    }

                    Assert.Equal(i, (await store.ReadAsync<Counter>(Device($"{writer}-{i % grains}"))).State.Value);
                }
            })));
            Assert.Equal(writers * grains * writes, etags.Distinct().Count());
            Assert.Equal(0, store.Status.PendingOperations);
        }

        await using var reopened = await OpenAsync(path);
        using var connection = reopened.Connect();
        Assert.Equal((long)writers * grains, connection.Scalar($"SELECT count(*) FROM grain_state WHERE json_extract(state, '$.Value') = {writes}"));
        Assert.Equal("ok", connection.Scalar("PRAGMA integrity_check"));
    }

    [Fact]
    public async Task WriteStateAsync_TwoActivationsOfOneGrain_NoUpdateIsLost()
    {
        await using var store = await OpenAsync();
        const int writers = 8;
        const int increments = 25;
        await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(async () =>
        {
            for (var done = 0; done < increments;)
            {
                var state = await store.ReadAsync<Counter>(Device("a"));
                state.State.Value++;
                try
                {
                    await store.Storage.WriteStateAsync("state", Device("a"), state);
                    done++;
                }
                catch (InconsistentStateException)
                {
                    // Another one was first: read again.
                }
            }
        })));

        Assert.Equal(writers * increments, (await store.ReadAsync<Counter>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task WriteStateAsync_CancelledBefore_WritesNothing()
    {
        await using var store = await OpenAsync();
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => store.Storage.WriteStateAsync("state", Device("a"), new TestState<Counter>(new Counter()), cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => store.Storage.ReadStateAsync("state", Device("a"), new TestState<Counter>(new Counter()), cancelled.Token));

        Assert.False((await store.ReadAsync<Counter>(Device("a"))).RecordExists);
    }

    [Fact]
    public async Task DisposeAsync_WritesInFlight_AreDrainedAndLaterOnesFail()
    {
        var path = NewPath();
        var store = await OpenAsync(path);
        var writes = Enumerable.Range(0, 500)
            .Select(i => store.Storage.WriteStateAsync("state", Device($"{i}"), new TestState<Counter>(new Counter { Value = i })))
            .ToArray();
        var storage = store.Storage;
        await store.DisposeAsync();

        Assert.All(writes, write => Assert.True(write.IsCompleted));
        await Task.WhenAll(writes);
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => storage.WriteStateAsync("state", Device("late"), new TestState<Counter>(new Counter())));
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => storage.ReadStateAsync("state", Device("late"), new TestState<Counter>(new Counter())));
        Assert.False(File.Exists($"{path}-wal"), "the log was not folded into the file");
        await using var reopened = await OpenAsync(path);
        using var connection = reopened.Connect();
        Assert.Equal(500L, connection.Scalar("SELECT count(*) FROM grain_state"));
    }

    [Fact]
    public async Task Exceptions_ThroughTheOrleansSerializer_KeepTheirTypeAndText()
    {
        await using var store = await OpenAsync();
        var serializer = store.Services.GetRequiredService<Serializer>();

        var unavailable = serializer.Deserialize<Exception>(
            serializer.SerializeToArray<Exception>(new GrainStorageUnavailableException("p", "the disk is full")));
        var refused = serializer.Deserialize<Exception>(serializer.SerializeToArray<Exception>(new GrainStateException("p", "too big")));

        Assert.Equal(("p", "the disk is full"), (Assert.IsType<GrainStorageUnavailableException>(unavailable).ProviderName, unavailable.Message));
        Assert.Equal(("p", "too big"), (Assert.IsType<GrainStateException>(refused).ProviderName, refused.Message));
    }
}
