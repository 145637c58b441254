namespace MqttDeviceCluster.Tests.Grains.Fleet;

public sealed class FleetHubTests
{
    private readonly FleetHub _hub = new();

    private static DeviceAddedEvent Added(string deviceId) => new(deviceId, TestClock.Noon);

    [Fact]
    public void IsWatched_NoWatch_IsFalseAndTellingGoesNowhere()
    {
        Assert.False(_hub.IsWatched("a"));
        Assert.False(_hub.IsAnythingWatched);

        _hub.Tell(Added("a"));
    }

    [Fact]
    public void Tell_WatchOfOneDevice_HearsThatOneOnly()
    {
        TestWatch watch = new(_hub, new() { DeviceId = "a" });
        Assert.True(_hub.IsWatched("a"));
        Assert.False(_hub.IsWatched("b"));
        Assert.True(_hub.IsAnythingWatched);

        _hub.Tell(Added("a"));
        _hub.Tell(Added("b"));

        Assert.Equal("a", Assert.Single(watch.TakeAll()).DeviceId);
    }

    [Fact]
    public void Tell_WideWatch_HearsEveryDevice()
    {
        TestWatch watch = new(_hub);
        Assert.True(_hub.IsWatched("a"));
        Assert.True(_hub.IsWatched("b"));

        _hub.Tell(Added("a"));
        _hub.Tell(Added("b"));

        Assert.Equal(["a", "b"], watch.TakeAll().Select(value => value.DeviceId));
    }

    [Fact]
    public void Remove_OneOfSeveral_LeavesTheOthers()
    {
        TestWatch[] narrow = [new(_hub, new() { DeviceId = "a" }), new(_hub, new() { DeviceId = "a" }), new(_hub, new() { DeviceId = "b" })];
        TestWatch[] wide = [new(_hub), new(_hub)];
        _hub.Remove(narrow[0].Subscription);
        _hub.Remove(wide[0].Subscription);
        _hub.Remove(wide[0].Subscription); // Twice is once.
        _hub.Remove(narrow[0].Subscription);

        _hub.Tell(Added("a"));

        Assert.Empty(narrow[0].TakeAll());
        Assert.Single(narrow[1].TakeAll());
        Assert.Empty(narrow[2].TakeAll());
        Assert.Empty(wide[0].TakeAll());
        Assert.Single(wide[1].TakeAll());
    }

    [Fact]
    public void Remove_LastWatch_LeavesNothingBehind()
    {
        TestWatch[] watches = [new(_hub), new(_hub, new() { DeviceId = "a" })];
        foreach (var watch in watches)
        {
            _hub.Remove(watch.Subscription);
        }

        Assert.False(_hub.IsAnythingWatched);
        Assert.False(_hub.IsWatched("a"));
    }

    [Fact]
    public void HasNews_OnlyAfterSomeDeviceHadAny()
    {
        Assert.False(_hub.HasNews);

        _hub.IsWatched("a");

        Assert.True(_hub.HasNews);
    }

    [Fact]
    public void HasNews_WatchedFromTheStart_IsTrueToo()
    {
        // A second watch, of which the silo hears after the first, has missed what came between them.
        _ = new TestWatch(_hub);
        _hub.IsWatched("a");

        Assert.True(_hub.HasNews);
    }
}
