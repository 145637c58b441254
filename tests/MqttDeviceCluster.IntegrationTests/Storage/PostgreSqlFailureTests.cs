using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Tests.Storage;
using Orleans.Storage;
using static MqttDeviceCluster.Tests.Storage.OpenStore;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>A server that goes away and comes back; and what one bad change does to the others of its batch.</summary>
public sealed class PostgreSqlFailureTests(SharedServers servers)
{
    public sealed class Text
    {
        public string Value { get; set; } = "";
    }

    [Fact]
    public async Task Store_ServerStoppedAndStarted_FailsAndHealsWithoutAWrite()
    {
        await using var server = await PostgreSqlServer.StartNewAsync();
        PostgreSqlHome home = new(await server.CreateDatabaseAsync());
        await using var store = await home.OpenAsync();
        TestState<Text> state = new(new Text { Value = "1" });
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        await server.StopAsync();

        state.State.Value = "2";
        var write = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.Storage.WriteStateAsync("state", Device("a"), state));
        var read = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => store.ReadAsync<Text>(Device("a")));
        var scan = await Assert.ThrowsAsync<GrainStorageUnavailableException>(
            () => store.Scanner.ScanAsync<Text>(GrainType.Create("device"), "state", null, null, 1, TestContext.Current.CancellationToken));

        Assert.StartsWith($"Grain storage 'devices' could not write to PostgreSQL database 'test1' at 127.0.0.1:{server.Port}: ", write.Message, StringComparison.Ordinal);
        Assert.EndsWith($"could not read from PostgreSQL database 'test1' at 127.0.0.1:{server.Port}: nothing listens there.", read.Message, StringComparison.Ordinal);
        Assert.Equal(read.Message, scan.Message);
        Assert.Null(write.InnerException);
        Assert.True(store.Status.IsFailing);
        Assert.DoesNotContain("secret", string.Join('\n', store.Logs.Entries.Select(entry => entry.Message)), StringComparison.Ordinal);

        await server.StartAsync();
        await EventuallyAsync(() => !store.Status.IsFailing, "the store did not recover");
        await store.Storage.WriteStateAsync("state", Device("a"), state);
        Assert.Equal("2", (await store.ReadAsync<Text>(Device("a"))).State.Value);
    }

    [Fact]
    public async Task Store_ServerCrashedWhileIdle_NobodyNotices()
    {
        await using var server = await PostgreSqlServer.StartNewAsync();
        PostgreSqlHome home = new(await server.CreateDatabaseAsync());
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new();
        await using var store = await home.OpenAsync(new() { TimeProvider = time });
        var states = Enumerable.Range(0, 20).Select(i => new TestState<Text>(new Text { Value = $"{i}" })).ToArray();
        await Task.WhenAll(states.Select((state, i) => store.Storage.WriteStateAsync("state", Device($"{i}"), state)));
        await Task.WhenAll(states.Select((_, i) => store.ReadAsync<Text>(Device($"{i}"))));

        await server.CrashAsync();
        await server.StartAsync();
        time.Advance(TimeSpan.FromSeconds(2));

        states[0].State.Value = "after";
        await store.Storage.WriteStateAsync("state", Device("0"), states[0]);
        await Task.WhenAll(states.Select((_, i) => store.ReadAsync<Text>(Device($"{i}"))));
        Assert.Equal("after", (await store.ReadAsync<Text>(Device("0"))).State.Value);
        Assert.Empty(store.Logs.At(LogLevel.Error));
    }

    [Fact]
    public async Task Store_ServerCrashedUnderWrites_KeepsEveryWriteThatWasReported()
    {
        await using var server = await PostgreSqlServer.StartNewAsync();
        PostgreSqlHome home = new(await server.CreateDatabaseAsync());
        await using var store = await home.OpenAsync();
        var reported = 0;
        var crash = new TaskCompletionSource();
        var writers = Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
        {
            List<string> done = [];
            try
            {
                for (var i = 0; ; i++)
                {
                    await store.Storage.WriteStateAsync("state", Device($"{writer}-{i}"), new TestState<Text>(new Text { Value = "x" }));
                    done.Add($"{writer}-{i}");
                    if (Interlocked.Increment(ref reported) == 500)
                    {
                        crash.SetResult();
                    }
                }
            }
            catch (GrainStorageUnavailableException)
            {
                return done;
            }
        })).ToArray();
        await crash.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await server.CrashAsync();
        var keys = (await Task.WhenAll(writers)).SelectMany(done => done).ToArray();

        await server.StartAsync();
        await EventuallyAsync(() => !store.Status.IsFailing, "the store did not recover");
        foreach (var key in keys)
        {
            Assert.True((await store.ReadAsync<Text>(Device(key))).RecordExists, $"{key} was reported and is gone");
        }
    }

    [Fact]
    public async Task WriteStateAsync_RecordsThatTheServerRefuses_DoNotHarmTheOthers()
    {
        var home = await PostgreSqlHome.NewAsync(servers);
        await using var store = await home.OpenAsync();
        home.Execute(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN IF NEW.grain_key = 'refused' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON mdc_grain_state FOR EACH ROW EXECUTE FUNCTION refuse();
            """);
        await store.Storage.WriteStateAsync("state", Device("taken"), new TestState<Text>(new Text()));

        // Longer than an index row may be, and random, so that it cannot be compressed into one.
        var longKey = Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(4000));
        (string Key, string Problem)[] bad = [("refused", "not this one"), ("a\0b", "its key holds a NUL, which PostgreSQL cannot store"), (longKey, "index row")];
        List<Task> good = [];
        List<(Task Write, string Problem)> refused = [];
        for (var i = 0; i < 20; i++)
        {
            good.Add(store.Storage.WriteStateAsync("state", Device($"{i}"), new TestState<Text>(new Text { Value = $"{i}" })));
            foreach (var (key, problem) in bad)
            {
                refused.Add((store.Storage.WriteStateAsync("state", Device(key), new TestState<Text>(new Text())), problem));
            }
        }

        var conflict = store.Storage.WriteStateAsync("state", Device("taken"), new TestState<Text>(new Text()));
        var noUnicode = store.Storage.WriteStateAsync("\uD800", Device("x"), new TestState<Text>(new Text()));

        await Task.WhenAll(good);
        await Assert.ThrowsAsync<InconsistentStateException>(() => conflict);
        Assert.Contains("its key is not valid Unicode", (await Assert.ThrowsAsync<GrainStateException>(() => noUnicode)).Message, StringComparison.Ordinal);
        foreach (var (write, problem) in refused)
        {
            Assert.Contains(problem, (await Assert.ThrowsAsync<GrainStateException>(() => write)).Message, StringComparison.Ordinal);
        }

        Assert.False(store.Status.IsFailing);
        Assert.False((await store.ReadAsync<Text>(Device("a\0b"))).RecordExists);
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal($"{i}", (await store.ReadAsync<Text>(Device($"{i}"))).State.Value);
        }
    }

    [Fact]
    public async Task Commit_MoreBytesThanAStatementTakes_StoresAll()
    {
        var home = await PostgreSqlHome.NewAsync(servers);
        await using var store = await home.OpenBareAsync();
        var payload = new byte[12 * 1024 * 1024];

        var results = await store.CommitAsync([.. Enumerable.Range(0, 5).Select(i => new GrainStateChange(new("s", "device", $"{i}", "state"), null, $"e{i}", payload))]);

        Assert.All(results, result => Assert.Equal(GrainStateChangeOutcome.Applied, result.Outcome));
        Assert.Equal(5L, home.Scalar("SELECT count(*) FROM mdc_grain_state WHERE octet_length(state_bytes) = 12582912"));
    }

    [Fact]
    public async Task Commit_TwoSilosTheSameKeysInOppositeOrders_NeverDeadlocks()
    {
        var home = await PostgreSqlHome.NewAsync(servers);
        await using var first = await home.OpenBareAsync();
        await using var second = await home.OpenBareAsync();
        GrainStateKey[] keys = [.. Enumerable.Range(0, 200).Select(i => new GrainStateKey("s", "device", $"{i}", "state"))];

        await Task.WhenAll(
            Task.Run(() => ChurnAsync(first, keys), TestContext.Current.CancellationToken),
            Task.Run(() => ChurnAsync(second, [.. keys.Reverse()]), TestContext.Current.CancellationToken));

        Assert.Equal(0L, home.Scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"));

        static async Task ChurnAsync(IGrainStateStore store, GrainStateKey[] keys)
        {
            var etags = new string?[keys.Length];
            var applied = 0;
            for (var round = 0; round < 60; round++)
            {
                var changes = keys.Select((key, i) => new GrainStateChange(
                    key, etags[i], round % 7 == 6 && etags[i] is not null ? null : Guid.NewGuid().ToString("N"), new byte[100])).ToArray();
                var results = await store.CommitAsync(changes);
                for (var i = 0; i < keys.Length; i++)
                {
                    applied += results[i].Outcome == GrainStateChangeOutcome.Applied ? 1 : 0;
                    etags[i] = results[i].Outcome == GrainStateChangeOutcome.Applied ? changes[i].NewETag : results[i].StoredETag;
                }
            }

            Assert.NotEqual(0, applied);
        }
    }

    [Fact]
    public async Task Commit_ServerDoesNotWaitForItsDisk_IsMadeToWait()
    {
        var server = await servers.PostgreSqlAsync();
        var connectionString = await server.CreateDatabaseAsync();
        PostgreSqlHome home = new(connectionString);
        home.Execute($"ALTER DATABASE {new Npgsql.NpgsqlConnectionStringBuilder(connectionString).Database} SET synchronous_commit = off");
        await using var store = await home.OpenAsync();
        home.Execute(
            """
            CREATE TABLE seen (setting text);
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT current_setting('synchronous_commit'); RETURN NEW; END $$;
            CREATE TRIGGER see BEFORE INSERT ON mdc_grain_state FOR EACH ROW EXECUTE FUNCTION see();
            """);

        await store.Storage.WriteStateAsync("state", Device("a"), new TestState<Text>(new Text()));

        Assert.Equal("off", home.Scalar("SHOW synchronous_commit"));
        Assert.Equal("on", home.Scalar("SELECT setting FROM seen"));
    }

    private static async Task EventuallyAsync(Func<bool> condition, string failure)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(30), failure);

            // The status is a property that a health endpoint polls; so does the test.
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
