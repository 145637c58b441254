using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;

namespace MqttDeviceCluster.Tests.Storage;

public sealed class GroupCommitterTests : IAsyncDisposable
{
    private readonly HeldStore _store = new();
    private readonly FakeTimeProvider _time = new();
    private readonly LogCollector _logs = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly GrainStorageMetrics _metrics;
    private readonly GrainStorageHealth _health;

    public GroupCommitterTests()
    {
        _metrics = new GrainStorageMetrics(_services.GetRequiredService<IMeterFactory>());
        _health = new GrainStorageHealth("devices", _store, _metrics, _logs, _time);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _health.DisposeAsync();
        await _services.DisposeAsync();
    }

    [Fact]
    public async Task CommitAsync_ChangesThatGatherDuringACommit_ShareTheNextOneInOrder()
    {
        var committer = Create();
        var first = committer.CommitAsync(Change("first"), Token);
        var running = await _store.NextAsync();
        var gathered = Enumerable.Range(0, 5).Select(i => committer.CommitAsync(Change($"{i}"), Token)).ToArray();
        Assert.Equal(6, committer.Pending);

        running.Apply();
        await first;
        var next = await _store.NextAsync();

        Assert.Equal(["first"], running.Keys);
        Assert.Equal(["0", "1", "2", "3", "4"], next.Keys);
        Assert.All(gathered, task => Assert.False(task.IsCompleted));
        next.Apply();
        await Task.WhenAll(gathered);
        Assert.Equal(0, committer.Pending);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_StoreDoesNotAnswer_CountsAsFailingUntilItDoes()
    {
        var committer = Create();
        var change = committer.CommitAsync(Change("a"), Token);
        var running = await _store.NextAsync();
        _time.Advance(GrainStorageHealth.StallLimit - TimeSpan.FromMilliseconds(1));
        Assert.Null(_health.Problem);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("Grain storage 'devices' waits for a commit at /held since 2 s.", _health.Problem);

        running.Apply();
        await change;
        Assert.Null(_health.Problem);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_StoreGivesTooFewResults_FailsTheBatchAndGoesOn()
    {
        var committer = Create();
        var change = committer.CommitAsync(Change("a"), Token);
        (await _store.NextAsync()).Result.SetResult([]);
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => change);

        var next = committer.CommitAsync(Change("b"), Token);
        (await _store.NextAsync()).Apply();
        await next;
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_MoreThanABatch_IsSplitAtTheMaximum()
    {
        var committer = Create(maxBatch: 3);
        var tasks = new List<Task> { committer.CommitAsync(Change("first"), Token) };
        var commit = await _store.NextAsync();
        tasks.AddRange(Enumerable.Range(0, 7).Select(i => committer.CommitAsync(Change($"{i}"), Token)));

        List<int> sizes = [];
        commit.Apply();
        for (var left = 7; left > 0; left -= sizes[^1])
        {
            commit = await _store.NextAsync();
            sizes.Add(commit.Changes.Count);
            commit.Apply();
        }

        await Task.WhenAll(tasks);
        Assert.Equal([3, 3, 1], sizes);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_QueueFull_WaitsForAPlaceAndLeavesItWhenCancelled()
    {
        var committer = Create(maxPending: 2);
        var running = committer.CommitAsync(Change("running"), Token);
        var commit = await _store.NextAsync();
        var queued = new[] { committer.CommitAsync(Change("a"), Token), committer.CommitAsync(Change("b"), Token) };
        using CancellationTokenSource cancel = new();
        var gaveUp = committer.CommitAsync(Change("gave up"), cancel.Token);
        var waits = committer.CommitAsync(Change("waits"), Token);

        Assert.Equal(5, committer.Pending);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gaveUp);
        commit.Apply();
        List<string> keys = [];
        while (keys.Count < 3)
        {
            commit = await _store.NextAsync();
            keys.AddRange(commit.Keys);
            commit.Apply();
        }

        await Task.WhenAll([running, .. queued, waits]);
        Assert.Equal(["a", "b", "waits"], keys);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_CancelledInTheQueue_IsNeverCommitted()
    {
        var committer = Create();
        var running = committer.CommitAsync(Change("running"), Token);
        var commit = await _store.NextAsync();
        using CancellationTokenSource cancel = new();
        var cancelled = committer.CommitAsync(Change("cancelled"), cancel.Token);
        var stays = committer.CommitAsync(Change("stays"), Token);

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        commit.Apply();
        commit = await _store.NextAsync();
        commit.Apply();

        Assert.Equal(["stays"], commit.Keys);
        await Task.WhenAll(running, stays);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_CancelledDuringItsCommit_TellsHowTheCommitEnded()
    {
        var committer = Create();
        using CancellationTokenSource cancel = new();
        var task = committer.CommitAsync(Change("a"), cancel.Token);
        var commit = await _store.NextAsync();

        await cancel.CancelAsync();
        commit.Apply();

        Assert.Equal(GrainStateChangeOutcome.Applied, (await task).Outcome);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_CommitFails_FailsAllOfItsChangesAndTheNextIsTriedAgain()
    {
        var committer = Create();
        var first = committer.CommitAsync(Change("first"), Token);
        var commit = await _store.NextAsync();
        var gathered = Enumerable.Range(0, 3).Select(i => committer.CommitAsync(Change($"{i}"), Token)).ToArray();
        commit.Apply();
        await first;

        (await _store.NextAsync()).Result.SetException(new IOException("the disk is gone"));
        foreach (var task in gathered)
        {
            var exception = await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => task);
            Assert.Equal("Grain storage 'devices' could not write to /held: the disk is gone.", exception.Message);
            Assert.Null(exception.InnerException);
        }

        Assert.Equal("Grain storage 'devices' could not write to /held: the disk is gone.", _health.Problem);
        var again = committer.CommitAsync(Change("again"), Token);
        (await _store.NextAsync()).Apply();
        await again;
        Assert.Null(_health.Problem);
        await committer.StopAsync();
    }

    [Fact]
    public async Task CommitAsync_BatchOfConflicts_DoesNotCountAsRecovery()
    {
        var committer = Create();
        var failed = committer.CommitAsync(Change("a"), Token);
        (await _store.NextAsync()).Result.SetException(new IOException("the disk is full"));
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => failed);

        var conflict = committer.CommitAsync(Change("b"), Token);
        (await _store.NextAsync()).Result.SetResult([new(GrainStateChangeOutcome.Conflict, "stored")]);

        Assert.Equal("stored", (await conflict).StoredETag);
        Assert.NotNull(_health.Problem);
        await committer.StopAsync();
    }

    [Fact]
    public async Task Failures_HoweverMany_AreLoggedOnceAMinuteAndWhenOver()
    {
        var committer = Create();
        _store.ProbeFailure = new IOException("still no disk");
        for (var i = 0; i < 250; i++)
        {
            await FailAsync(i);
        }

        _time.Advance(TimeSpan.FromMinutes(1));
        await FailAsync(250);
        await FailAsync(251);
        await SucceedAsync();

        // It begins anew within the minute, and is over before anybody was told.
        await FailAsync(252);
        await SucceedAsync();
        _time.Advance(TimeSpan.FromMinutes(1));
        await FailAsync(253);

        Assert.Equal(
            [
                "Grain storage 'devices' could not write to /held: no disk 0. Until it recovers this is logged once a minute.",
                "Grain storage 'devices' could not write to /held: no disk 250. Failures in a row: 251.",
                "Grain storage 'devices' could not write to /held: no disk 253. Until it recovers this is logged once a minute.",
            ],
            _logs.At(LogLevel.Error));
        Assert.Equal([true, false, true], _logs.Entries.Where(entry => entry.Level == LogLevel.Error).Select(entry => entry.Exception is IOException));
        Assert.Equal("Grain storage 'devices' recovered: Commit at /held works again after 252 failures.", Assert.Single(_logs.At(LogLevel.Warning)));
        await committer.StopAsync();

        async Task FailAsync(int number)
        {
            var failed = committer.CommitAsync(Change("a"), Token);
            (await _store.NextAsync()).Result.SetException(new IOException($"no disk {number}"));
            await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => failed);
        }

        async Task SucceedAsync()
        {
            var heals = committer.CommitAsync(Change("a"), Token);
            (await _store.NextAsync()).Apply();
            await heals;
        }
    }

    [Fact]
    public async Task Failure_NobodyWrites_IsProbedWithBackoffUntilItRecovers()
    {
        var committer = Create();
        _store.ProbeFailure = new IOException("still no disk");
        var failed = committer.CommitAsync(Change("a"), Token);
        (await _store.NextAsync()).Result.SetException(new IOException("no disk"));
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => failed);

        await AdvanceUntilAsync(() => _store.Probes >= 3);
        Assert.Equal("Grain storage 'devices' could not write to /held: still no disk.", _health.Problem);
        _store.ProbeFailure = null;
        await AdvanceUntilAsync(() => _health.Problem is null);

        var probes = _store.Probes;
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(probes, _store.Probes);
        await committer.StopAsync();
    }

    [Fact]
    public async Task StopAsync_QueuedChanges_AreCommittedAndThoseWithoutAPlaceFail()
    {
        var committer = Create(maxPending: 2);
        var running = committer.CommitAsync(Change("running"), Token);
        var commit = await _store.NextAsync();
        var queued = new[] { committer.CommitAsync(Change("a"), Token), committer.CommitAsync(Change("b"), Token) };
        var noPlace = committer.CommitAsync(Change("no place"), Token);

        var stop = committer.StopAsync();
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => noPlace);
        Assert.False(stop.IsCompleted);
        commit.Apply();
        (await _store.NextAsync()).Apply();
        await Task.WhenAll([running, .. queued, stop]);
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => committer.CommitAsync(Change("late"), Token));
    }

    [Fact]
    public async Task Metrics_Commits_AreMeasuredUnderThePinnedNames()
    {
        List<(string Name, double Value, string Tags)> measured = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, current) =>
        {
            if (instrument.Meter.Name == "MqttDeviceCluster.Storage" && instrument.Meter.Scope == _services.GetRequiredService<IMeterFactory>())
            {
                current.EnableMeasurementEvents(instrument);
            }
        };
        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (measured)
            {
                measured.Add((instrument.Name, value, string.Join(",", tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"))));
            }
        }

        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.Start();
        var committer = Create();
        var ok = committer.CommitAsync(Change("a"), Token);
        var commit = await _store.NextAsync();
        _time.Advance(TimeSpan.FromSeconds(2));
        commit.Apply();
        await ok;
        var failed = committer.CommitAsync(Change("a"), Token);
        (await _store.NextAsync()).Result.SetException(new IOException("no disk"));
        await Assert.ThrowsAsync<GrainStorageUnavailableException>(() => failed);

        const string provider = "mdc.storage.provider=devices";
        Assert.Equal(
            [
                ("mdc.storage.queue.length", 1, provider),
                ("mdc.storage.commit.duration", 2, $"{provider},mdc.storage.outcome=ok"),
                ("mdc.storage.commit.size", 1, provider),
                ("mdc.storage.queue.length", -1, provider),
                ("mdc.storage.queue.length", 1, provider),
                ("mdc.storage.commit.duration", 0, $"{provider},mdc.storage.outcome=failed"),
                ("mdc.storage.commit.size", 1, provider),
                ("mdc.storage.errors", 1, $"{provider},mdc.storage.operation=commit"),
                ("mdc.storage.queue.length", -1, provider),
            ],
            measured);
        await committer.StopAsync();
    }

    private static GrainStateChange Change(string key) => new(new GrainStateKey("service", "device", key, "state"), null, "etag", default);

    private GroupCommitter Create(int maxPending = 100, int maxBatch = 100) =>
        new("devices", _store, _health, _metrics, _time, new GroupCommitLimits(maxPending, maxBatch));

    private async Task AdvanceUntilAsync(Func<bool> condition)
    {
        var deadline = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(deadline) < TimeSpan.FromSeconds(10), "The condition was not met in time.");
            _time.Advance(TimeSpan.FromSeconds(1));

            // The probe runs on the thread pool and has no event to wait for: give it a moment to set its next timer.
            await Task.Delay(5, Token);
        }
    }
}
