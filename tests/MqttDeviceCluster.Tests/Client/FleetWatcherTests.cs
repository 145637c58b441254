using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Fleet;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Grains.Fleet;

namespace MqttDeviceCluster.Tests.Client;

public sealed class FleetWatcherTests
{
    private readonly TimerClock _time = new();
    private readonly FakeFleet _fleet = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private FleetWatcher Watch() => new(_fleet.Grains, new() { BufferSize = 7 }, _time, NullLogger.Instance);

    private static Task<T> Ends<T>(Task<T> task) => task.WaitAsync(TestClock.Bound, Token);

    private static Task<WatchReceipt> Fails(Exception exception) => Task.FromException<WatchReceipt>(exception);

    [Fact]
    public async Task Started_EverySiloAnswered_IsDoneAndTheWatchIsRenewed()
    {
        await using var watcher = Watch();

        Assert.Equal(TestClock.Noon, await Ends(watcher.Started));
        Assert.Equal(FleetWatch.RenewInterval, await _time.PassAsync());
        Assert.Equal(FleetWatch.RenewInterval, await _time.PassAsync());
        Assert.Equal(7, (await _fleet.Watched).Options.BufferSize);
    }

    [Fact]
    public async Task Started_OneSiloDidNotAnswer_WaitsAndAsksSoon()
    {
        _fleet.Receipts.Enqueue(static () => FakeFleet.Receipt("other"));
        await using var watcher = Watch();
        var pause = await _time.BegunAsync();
        Assert.False(watcher.Started.IsCompleted);
        Assert.Equal(TimeSpan.FromMilliseconds(200), pause);

        _time.Advance(pause);

        await Ends(watcher.Started);
    }

    [Fact]
    public async Task Renew_ClusterIsAway_IsTriedUntilItIsBack()
    {
        for (var i = 0; i < 7; i++)
        {
            _fleet.Receipts.Enqueue(static () => Fails(new OrleansException("no gateway")));
        }

        await using var watcher = Watch();
        List<double> pauses = [];
        for (var i = 0; i < 7; i++)
        {
            pauses.Add((await _time.PassAsync()).TotalSeconds);
        }

        await Ends(watcher.Started);
        Assert.Equal([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5], pauses);
    }

    [Fact]
    public async Task Renew_WatchIsRefused_EndsItWithTheReason()
    {
        _fleet.Receipts.Enqueue(static () => Fails(new ArgumentException("too big")));
        await using var watcher = Watch();

        await Assert.ThrowsAsync<ArgumentException>(() => Ends(watcher.Started));
    }

    [Fact]
    public async Task Renew_ArgumentErrorAfterItWasAccepted_GoesOn()
    {
        _fleet.Receipts.Enqueue(static () => FakeFleet.Receipt());
        _fleet.Receipts.Enqueue(static () => Fails(new ArgumentException("something else")));
        await using var watcher = Watch();
        await Ends(watcher.Started);

        Assert.Equal(FleetWatch.RenewInterval, await _time.PassAsync());
        Assert.Equal(TimeSpan.FromMilliseconds(200), await _time.PassAsync());
        Assert.Equal(FleetWatch.RenewInterval, await _time.PassAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DisposeAsync_ClusterThereOrNot_EndsTheWatchAndLetsTheObserverGo(bool away)
    {
        _fleet.UnwatchFailure = away ? new TimeoutException() : null;
        var watcher = Watch();
        await Ends(watcher.Started);
        Assert.Single(FakeGrains.Of(_fleet.Grains).References);

        await watcher.DisposeAsync();

        Assert.Equal((await _fleet.Watched).WatchId, Assert.Single(_fleet.Unwatched));

        // Not at once: a batch may be on its way.
        Assert.Single(FakeGrains.Of(_fleet.Grains).References);
        _time.Advance(TimeSpan.FromSeconds(5));
        await DeviceGrainTests.Until(() => FakeGrains.Of(_fleet.Grains).References.Count == 0);
    }

    [Fact]
    public async Task OnEvents_FromManyThreads_LoseNothing()
    {
        await using var watcher = new FleetWatcher(_fleet.Grains, new() { BufferSize = 10_000 }, _time, NullLogger.Instance);
        IFleetObserver observer = watcher;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(silo => Task.Run(
            async () =>
            {
                WatchSource source = new($"silo {silo}", Guid.NewGuid());
                for (var i = 0; i < 500; i++)
                {
                    await observer.OnEventsAsync(new(source, i, [new DeviceAddedEvent($"{silo}", TestClock.Noon.AddSeconds(i))], false, []));
                }
            },
            Token)));

        var seen = new int[4];
        for (var i = 0; i < 2_000; i++)
        {
            var value = Assert.IsType<DeviceAddedEvent>(await watcher.ReadAsync(Token).AsTask().WaitAsync(TestClock.Bound, Token));
            var silo = value.DeviceId![0] - '0';
            Assert.Equal(TestClock.Noon.AddSeconds(seen[silo]++), value.At);
        }
    }
}
