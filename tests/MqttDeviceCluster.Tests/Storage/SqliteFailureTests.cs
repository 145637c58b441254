using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Sqlite;
using Orleans.Storage;
using static MqttDeviceCluster.Tests.Storage.OpenStore;
using static MqttDeviceCluster.Tests.Storage.TestStore;

namespace MqttDeviceCluster.Tests.Storage;

/// <summary>A database that really fails, and heals; and what one bad change does to the others of its batch.</summary>
public sealed class SqliteFailureTests
{
    public sealed class Text
    {
        public string Value { get; set; } = "";
    }

    [Fact]
    public async Task WriteStateAsync_FileLockedByAnother_FailsAndHealsWithoutAWrite()
    {
        await using var store = await OpenAsync();
        TestState<Text> state = new(new Text { Value = "1" });
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        var etag = state.ETag;
        using (var holder = store.Connect())
        {
            holder.Execute("BEGIN IMMEDIATE");
            state.State = new Text { Value = "2" };

            var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.Storage.WriteStateAsync("state", Device("a"), state));

            Assert.Equal($"Grain storage 'devices' could not write to {store.Path}: another process holds the file locked.", exception.Message);
            Assert.Null(exception.InnerException);
            Assert.Equal(etag, state.ETag);
            Assert.Equal((true, exception.Message), (store.Status.IsFailing, store.Status.Problem));

            // Reads go on in write-ahead mode, and do not hide that writes fail.
            Assert.Equal("1", (await store.ReadAsync<Text>(Device("a"))).State.Value);
            Assert.True(store.Status.IsFailing);
            await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.Storage.WriteStateAsync("state", Device("a"), state));
            holder.Execute("ROLLBACK");
        }

        await EventuallyAsync(() => !store.Status.IsFailing, "the store did not recover");
        Assert.Null(store.Status.Problem);
        Assert.Single(store.Logs.At(LogLevel.Error));
        await EventuallyAsync(() => store.Logs.At(LogLevel.Warning).Any(), "the recovery was not logged");
        Assert.Equal(
            $"Grain storage 'devices' recovered: Commit at {store.Path} works again after 2 failures.", Assert.Single(store.Logs.At(LogLevel.Warning)));
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        Assert.Equal("2", (await store.ReadAsync<Text>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task ReadStateAsync_TableGone_FailsReadsAndWritesAndHealsBothWithoutUse()
    {
        await using var store = await OpenAsync();
        await store.Storage.WriteStateAsync("state", Device("a"), new TestState<Text>(new Text { Value = "1" }));
        store.Execute("ALTER TABLE grain_state RENAME TO hidden");

        var read = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.ReadAsync<Text>(Device("a")));
        Assert.Contains("could not read from", read.Message, StringComparison.Ordinal);
        Assert.True(store.Status.IsFailing);
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => store.Storage.WriteStateAsync("state", Device("b"), new TestState<Text>(new Text())));

        store.Execute("ALTER TABLE hidden RENAME TO grain_state");
        await EventuallyAsync(() => !store.Status.IsFailing, "the store did not recover");
        Assert.Equal("1", (await store.ReadAsync<Text>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task WriteStateAsync_ConflictAndRefusalInABatch_DoNotHarmTheOthers()
    {
        await using var store = await OpenAsync();
        store.Execute("CREATE TRIGGER refuse BEFORE INSERT ON grain_state WHEN NEW.grain_key = 'refused' BEGIN SELECT RAISE(ABORT, 'not this one'); END");
        await store.Storage.WriteStateAsync("state", Device("taken"), new TestState<Text>(new Text()));
        List<Task> good = [];
        List<Task> conflicts = [];
        List<Task> refused = [];
        for (var i = 0; i < 50; i++)
        {
            good.Add(store.Storage.WriteStateAsync("state", Device($"{i}"), new TestState<Text>(new Text { Value = $"{i}" })));
            conflicts.Add(store.Storage.WriteStateAsync("state", Device("taken"), new TestState<Text>(new Text())));
            refused.Add(store.Storage.WriteStateAsync("state", Device("refused"), new TestState<Text>(new Text())));
        }

        await Task.WhenAll(good);
        foreach (var task in conflicts)
        {
            await Assert.ThrowsAsync<InconsistentStateException>(() => task);
        }

        foreach (var task in refused)
        {
            var exception = await Assert.ThrowsAsync<GrainStateException>(() => task);
            Assert.Contains("device/refused", exception.Message, StringComparison.Ordinal);
            Assert.Contains("not this one", exception.Message, StringComparison.Ordinal);
        }

        Assert.False(store.Status.IsFailing);
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal($"{i}", (await store.ReadAsync<Text>(Device($"{i}"))).State.Value);
        }
    }

    [Fact]
    public async Task Commit_TransactionUndoneByARefusal_FailsWholeAndStoresNothing()
    {
        var path = NewPath();
        await using var store = await OpenAsync(path);
        store.Execute("CREATE TRIGGER undo BEFORE INSERT ON grain_state WHEN NEW.grain_key = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END");
        using var session = SqliteSession.Open($"Data Source={path}", TimeSpan.FromSeconds(1), create: false);

        Assert.Throws<Microsoft.Data.Sqlite.SqliteException>(
            () => session.Commit([Write("a", null, "e", "1"), Write("bad", null, "e", "1"), Write("b", null, "e", "1")], 0));

        Assert.Null(session.Read(Key("a")));
        Assert.Null(session.Read(Key("b")));
    }

    [Fact]
    public async Task Reopen_FileThatWasReplacedByAnEmptyOne_FailsInsteadOfStartingFromNothing()
    {
        var path = NewPath();
        await using (await OpenAsync(path))
        {
        }

        File.WriteAllBytes(path, []);

        Assert.Throws<SqliteStoreException>(() => SqliteSession.Open($"Data Source={path}", TimeSpan.Zero, create: false));
        File.Delete(path);
        Assert.Throws<Microsoft.Data.Sqlite.SqliteException>(() => SqliteSession.Open($"Data Source={path}", TimeSpan.Zero, create: false));
        Assert.False(File.Exists(path));
    }

    private static GrainStateKey Key(string key) => new("service", "device", key, "state");

    private static GrainStateChange Write(string key, string? expected, string etag, string payload) =>
        new(Key(key), expected, etag, System.Text.Encoding.UTF8.GetBytes(payload));

    private static async Task EventuallyAsync(Func<bool> condition, string failure)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(15), failure);

            // The status is a property that a health endpoint polls; so does the test.
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
