using System.Collections.Concurrent;
using System.Text;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using Orleans.Storage;
using static MqttDeviceCluster.Tests.Storage.OpenStore;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>What Orleans expects of any grain storage, and the group commit of any store.</summary>
public abstract class GrainStorageContract
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
        var home = await NewHomeAsync();
        TestState<Counter> written = new(new Counter { Value = 1 });
        await using (var store = await home.OpenAsync())
        {
            await store.Storage.WriteStateAsync("state", Device("a"), written);
            Assert.True(written.RecordExists);
            Assert.NotNull(written.ETag);
            var read = await store.ReadAsync<Counter>(Device("a"));
            Assert.Equal((1, written.ETag, true), (read.State.Value, read.ETag, read.RecordExists));
        }

        await using var reopened = await home.OpenAsync();
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
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        TestState<Counter> state = new(new Counter { Value = 1 });
        await store.Storage.WriteStateAsync("state", Device("a"), state);

        await store.Storage.ClearStateAsync("state", Device("a"), state);

        Assert.Equal((0, null, false), (state.State.Value, state.ETag, state.RecordExists));
        Assert.False((await store.ReadAsync<Counter>(Device("a"))).RecordExists);
        Assert.Equal(0L, home.Scalar($"SELECT count(*) FROM {home.Table}"));

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
        var home = await NewHomeAsync();
        await using (var store = await home.OpenAsync())
        {
            for (var i = 0; i < ids.Length; i++)
            {
                await store.Storage.WriteStateAsync("state", Device(ids[i]), new TestState<Counter>(new Counter { Value = i + 1 }));
            }
        }

        await using var reopened = await home.OpenAsync();
        for (var i = 0; i < ids.Length; i++)
        {
            Assert.Equal(i + 1, (await reopened.ReadAsync<Counter>(Device(ids[i]))).State.Value);
        }

        Assert.Equal((long)ids.Length, home.Scalar($"SELECT count(*) FROM {home.Table}"));
    }

    [Fact]
    public async Task WriteStateAsync_AnyPartOfTheKeyDiffers_IsAnotherRecord()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync();
        await using var otherService = await home.OpenAsync(new() { ServiceId = "Service" });
        (OpenStore Store, GrainId Id, string StateName)[] keys =
        [
            (store, Device("a"), "state"),
            (store, Device("a"), "State"),
            (store, Device("a", "Device"), "state"),
            (store, Device("a", "pump"), "state"),
            (store, Device("a "), "state"),
            (store, Device("ä/'x"), "state"),
            (store, Device("a\u0308/'x"), "state"),
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
        var home = await NewHomeAsync();
        await using (var store = await home.OpenAsync(new() { MaxPendingOperations = 16 }))
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

        Assert.Equal((long)writers * grains, home.Scalar($"SELECT count(*) FROM {home.Table} WHERE state LIKE '%\"Value\":{writes}}}'"));
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
        var home = await NewHomeAsync();
        var store = await home.OpenAsync();
        var writes = Enumerable.Range(0, 500)
            .Select(i => store.Storage.WriteStateAsync("state", Device($"{i}"), new TestState<Counter>(new Counter { Value = i })))
            .ToArray();
        var storage = store.Storage;
        await store.DisposeAsync();

        await Task.WhenAll(writes).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => storage.WriteStateAsync("state", Device("late"), new TestState<Counter>(new Counter())));
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => storage.ReadStateAsync("state", Device("late"), new TestState<Counter>(new Counter())));
        Assert.Equal(500L, home.Scalar($"SELECT count(*) FROM {home.Table}"));
    }

    [Fact]
    public async Task Commit_OneKeySeveralTimesInABatch_ActsInOrder()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenBareAsync();

        var results = await store.CommitAsync(
            [
                Clear("a", null),
                Write("a", null, "e1", "1"),
                Write("b", null, "b1", "1"),
                Write("a", null, "e2", "2"),
                Write("a", "e1", "e3", "3"),
                Write("a", "e1", "e4", "4"),
                Clear("a", "e1"),
                Clear("a", "e3"),
                Write("b", "b1", "b2", "2"),
                Clear("a", "e3"),
                Write("a", "e3", "e5", "5"),
                Write("a", null, "e6", "6"),
                Clear("a", null),
            ]);

        Assert.Equal(
            [
                new(GrainStateChangeOutcome.NothingToClear),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict, "e1"),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict, "e3"),
                new(GrainStateChangeOutcome.Conflict, "e3"),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict),
                new(GrainStateChangeOutcome.Conflict),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict, "e6"),
            ],
            results);
        var record = await store.ReadAsync(Key("a"), TestContext.Current.CancellationToken);
        Assert.Equal(("e6", "6"), (record!.ETag, Encoding.UTF8.GetString(record.Payload.Span)));
    }

    [Fact]
    public async Task Commit_EveryKindOfChangeInABatch_GivesEachItsResult()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenBareAsync();
        await store.CommitAsync([.. new[] { "a", "b", "c", "d", "e" }.Select(key => Write(key, null, $"{key}1", "1"))]);

        var results = await store.CommitAsync(
            [
                Write("f", null, "f1", "1"),
                Write("e", null, "e2", "2"),
                Write("d", "d1", "d2", "2"),
                Write("c", "stale", "c2", "2"),
                Clear("b", "b1"),
                Clear("a", "stale"),
                Clear("g", null),
                Clear("h", "stale"),
                Write("i", "stale", "i1", "1"),
            ]);

        Assert.Equal(
            [
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict, "e1"),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict, "c1"),
                new(GrainStateChangeOutcome.Applied),
                new(GrainStateChangeOutcome.Conflict, "a1"),
                new(GrainStateChangeOutcome.NothingToClear),
                new(GrainStateChangeOutcome.Conflict),
                new(GrainStateChangeOutcome.Conflict),
            ],
            results);
        foreach (var (key, etag) in (IEnumerable<(string, string?)>)[("a", "a1"), ("b", null), ("c", "c1"), ("d", "d2"), ("e", "e1"), ("f", "f1"), ("g", null), ("i", null)])
        {
            Assert.Equal(etag, (await store.ReadAsync(Key(key), TestContext.Current.CancellationToken))?.ETag);
        }
    }

    [Fact]
    public async Task WriteStateAsync_SerializerThatWritesBytes_StoresAndReadsThemVerbatim()
    {
        var home = await NewHomeAsync();
        await using var store = await home.OpenAsync(new() { Serializer = new BytesSerializer() });
        byte[][] payloads = [[], [0], [0xFF, 0x00, 0xFE], "text\0text"u8.ToArray(), [0xEF, 0xBB, 0xBF, 0x41], "日本 \U0001F600 \\ ' \" \r\n {}"u8.ToArray()];
        for (var i = 0; i < payloads.Length; i++)
        {
            await store.Storage.WriteStateAsync("state", Device($"{i}"), new TestState<Bytes>(new Bytes { Value = payloads[i] }));
            Assert.Equal(payloads[i], (await store.ReadAsync<Bytes>(Device($"{i}"))).State.Value);
        }
    }

    private protected abstract Task<IStoreHome> NewHomeAsync();

    private static GrainStateKey Key(string key) => new("service", "device", key, "state");

    private static GrainStateChange Write(string key, string? expected, string etag, string payload) =>
        new(Key(key), expected, etag, Encoding.UTF8.GetBytes(payload));

    private static GrainStateChange Clear(string key, string? expected) => new(Key(key), expected, null, default);

    private async Task<OpenStore> OpenAsync() => await (await NewHomeAsync()).OpenAsync();

    public sealed class Bytes
    {
        public byte[] Value { get; set; } = [];
    }

    private sealed class BytesSerializer : IGrainStorageSerializer
    {
        public BinaryData Serialize<T>(T? input) => new(((Bytes)(object)input!).Value);

        public T Deserialize<T>(BinaryData input) => (T)(object)new Bytes { Value = input.ToArray() };
    }
}
