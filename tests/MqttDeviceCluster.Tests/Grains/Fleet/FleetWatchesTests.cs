using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class FleetWatchesTests : IAsyncDisposable
{
    private static readonly TimeSpan HandOverLimit = TimeSpan.FromSeconds(1);

    private readonly TimerClock _time = new();
    private readonly FleetHub _hub = new();
    private readonly FakeSilos _silos = new();
    private readonly FakeObserver _observer = new();
    private readonly SiloStopping _stopping = new();
    private readonly FleetWatches _watches;

    public FleetWatchesTests() => _watches = new(_hub, _silos, _stopping, _time, NullLogger<FleetWatches>.Instance);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (var registration in _watches.Registrations)
        {
            await _watches.RemoveAsync(registration.WatchId);
        }
    }

    private WatchRegistration Watch(FakeObserver? observer = null) => new(Guid.NewGuid(), observer ?? _observer, new());

    private void Tell(string deviceId = "a") => _hub.Tell(new DeviceAddedEvent(deviceId, TestClock.Noon));

    [Fact]
    public async Task Add_Twice_RenewsTheOneWatch()
    {
        var registration = Watch();
        var source = _watches.Add(registration, isLate: false);
        _time.Advance(FleetWatch.Lease);

        Assert.Equal(source, _watches.Add(registration, isLate: true));
        _time.Advance(FleetWatch.Lease);
        await _watches.RemoveExpiredAsync();
        Tell();

        Assert.Single((await _observer.NextAsync()).Batch.Events);
        Assert.Equal(registration, Assert.Single(_watches.Registrations));
        Assert.Equal(_silos.SiloAddress.ToParsableString(), source.Silo);
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)] // Nothing had happened.
    [InlineData(false, true, false)] // It begins here and now.
    public async Task Add_Late_BeginsWithAGapIfThereWasNews(bool isLate, bool news, bool gap)
    {
        if (news)
        {
            _hub.IsWatched("a");
        }

        _watches.Add(Watch(), isLate);
        Tell();

        var first = await _observer.NextAsync();
        Assert.Equal(0, first.Batch.First);
        if (gap)
        {
            Assert.Equal(new GapEvent(null, TestClock.Noon, GapReason.SiloJoined), first.Batch.Events[0]);
        }
        else
        {
            Assert.IsType<DeviceAddedEvent>(Assert.Single(first.Batch.Events));
        }
    }

    [Fact]
    public async Task Add_SecondWatchLateAfterNewsForTheFirst_BeginsWithAGap()
    {
        FakeObserver second = new();
        _watches.Add(Watch(), isLate: true);
        Assert.True(_hub.IsWatched("a"));
        Tell();

        _watches.Add(Watch(second), isLate: true);

        Assert.IsType<GapEvent>((await second.NextAsync()).Batch.Events[0]);
    }

    [Fact]
    public async Task RemoveExpiredAsync_WatchThatIsNotRenewed_IsNoLongerTold()
    {
        _watches.Add(Watch(), isLate: false);
        _time.Advance(FleetWatch.Lease + TimeSpan.FromSeconds(1));
        var lives = Watch();
        _watches.Add(lives, isLate: false);

        await _watches.RemoveExpiredAsync();

        Assert.Equal(lives, Assert.Single(_watches.Registrations));
        await _watches.RemoveAsync(lives.WatchId);
        Assert.False(_hub.IsAnythingWatched);
    }

    [Fact]
    public async Task RemoveAsync_WatcherThatNeverAnswers_EndsAtOnce()
    {
        var registration = Watch();
        _watches.Add(registration, isLate: false);
        Tell();
        await _observer.NextAsync();

        await _watches.RemoveAsync(registration.WatchId).WaitAsync(TestClock.Bound, Token);
        await _watches.RemoveAsync(registration.WatchId);

        Assert.False(_hub.IsAnythingWatched);
        Assert.Empty(_watches.Registrations);
    }

    [Fact]
    public async Task NoteLost_Silo_IsToldToEveryWatch()
    {
        FakeObserver other = new();
        _watches.Add(Watch(), isLate: false);
        _watches.Add(Watch(other), isLate: false);

        _watches.NoteLost("silo");

        Assert.Equal(["silo"], (await _observer.NextAsync()).Batch.LostSilos);
        Assert.Equal(["silo"], (await other.NextAsync()).Batch.LostSilos);
    }

    [Fact]
    public async Task DrainAsync_NothingToTell_IsAtOnce()
    {
        Assert.True(_watches.DrainAsync().IsCompletedSuccessfully);
        _watches.Add(Watch(), isLate: false);
        Assert.True(_watches.DrainAsync().IsCompletedSuccessfully);

        Tell();
        (await _observer.NextAsync()).Answer.SetResult();
        await _time.BegunAsync(); // The pause after a batch that was taken.
        Assert.True(_watches.DrainAsync().IsCompletedSuccessfully);
    }

    [Fact]
    public async Task DrainAsync_EventsOnTheirWay_WaitsForThoseAndNotForLaterOnes()
    {
        _watches.Add(Watch(), isLate: false);
        Tell();
        var call = await _observer.NextAsync();
        var drain = _watches.DrainAsync();
        Tell("b");
        await _time.PassAsync();
        var look = await _time.BegunAsync(); // It goes on looking.
        Assert.False(drain.IsCompleted);

        call.Answer.SetResult();
        await _time.BegunAsync(); // The pause after a batch that was taken.
        _time.Advance(look);

        await drain.WaitAsync(TestClock.Bound, Token);
        Assert.True(_time.GetUtcNow() - TestClock.Noon < HandOverLimit);
    }

    [Fact]
    public async Task DrainAsync_WatcherDoesNotAnswer_WaitsNoLongerThanItsLimit()
    {
        _watches.Add(Watch(), isLate: false);
        Tell();
        await _observer.NextAsync();

        await _time.PassUntilAsync(_watches.DrainAsync());

        Assert.Equal(HandOverLimit, _time.GetUtcNow() - TestClock.Noon);
    }

    [Fact]
    public async Task LeaveAsync_OneWatcherIsStuck_TheOthersHearThatTheSiloLeavesAndAllEnd()
    {
        FakeObserver stuck = new();
        _watches.Add(Watch(stuck), isLate: false);
        _watches.Add(Watch(), isLate: false);
        using CancellationTokenSource limit = new();
        var leave = _watches.LeaveAsync(limit.Token);
        var last = await _observer.NextAsync();
        Assert.True(last.Batch.Leaving);
        last.Answer.SetResult();
        await stuck.NextAsync();
        Assert.False(leave.IsCompleted);

        await limit.CancelAsync();

        await leave.WaitAsync(TestClock.Bound, Token);
        Assert.Empty(_watches.Registrations);
        Assert.False(_hub.IsAnythingWatched);
    }
}
