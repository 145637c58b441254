using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Fleet;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Grains.Fleet;

namespace MqttDeviceCluster.Tests.Client;

/// <summary>Watching, listing and forgetting by the facade.</summary>
public sealed class DeviceClusterFleetTests
{
    private readonly TimerClock _time = new();
    private readonly FakeDevice _device = new();
    private readonly FakeFleet _fleet;

    public DeviceClusterFleetTests() => _fleet = new(_device);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DeviceCluster Cluster() => new(_fleet.Grains, _time, NullLogger<DeviceCluster>.Instance);

    private static DateTimeOffset At(int seconds) => TestClock.Noon.AddSeconds(seconds);

    private static PinUpdate Pin(int pin, PinState state, int at) => new(pin, PinMode.Output, state, At(at));

    private static PinEvent Changed(int pin, PinState state, int at) => new("a", Pin(pin, state, at), Changed: true);

    private static PresenceEvent Is(Presence presence, int at) => new("a", At(at), new(presence, PresenceReason.LastWill, At(at)));

    private static async Task<DeviceEvent> NextAsync(IAsyncEnumerator<DeviceEvent> events)
    {
        Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(TestClock.Bound, Token));
        return events.Current;
    }

    private static DevicePage Page(string? continuation, params string[] ids) => new([.. ids.Select(id => new DeviceSnapshot(id, [], null))], continuation);

    [Fact]
    public async Task EveryCall_BadArguments_ThrowBeforeTheClusterIsAsked()
    {
        var cluster = Cluster();
        Assert.ThrowsAny<ArgumentException>(() => cluster.WatchAsync("a/b", null, Token));
        Assert.ThrowsAny<ArgumentException>(() => cluster.WatchAsync((string)null!, null, Token));
        Assert.ThrowsAny<ArgumentException>(() => cluster.WatchAsync((PinFilter)null!, Token));
        WatchOptions[] bad = [new() { BufferSize = 0 }, new() { BufferSize = WatchOptions.MaxBufferSize + 1 }, new() { DeviceId = "" }, new() { DeviceId = "a#" }];
        foreach (var options in bad)
        {
            Assert.ThrowsAny<ArgumentException>(() => cluster.WatchAsync(options, Token));
            Assert.ThrowsAny<ArgumentException>(() => cluster.OnUpdate(options, static (_, _) => Task.CompletedTask));
        }

        Assert.ThrowsAny<ArgumentException>(() => cluster.OnUpdate((WatchOptions)null!, static (_, _) => Task.CompletedTask));
        Assert.ThrowsAny<ArgumentException>(() => cluster.OnUpdate(new WatchOptions(), null!));
        Assert.ThrowsAny<ArgumentException>(() => cluster.OnUpdate((PinFilter)null!, static (_, _) => Task.CompletedTask));
        Assert.ThrowsAny<ArgumentException>(() => cluster.OnUpdate(new PinFilter(), null!));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => cluster.ForgetAsync("a+", Token));
        Assert.Empty(FakeGrains.Of(_fleet.Grains).References);
        Assert.Equal(0, _device.Calls);
    }

    [Fact]
    public async Task WatchAsync_NotEnumerated_StartsNothing()
    {
        _ = Cluster().WatchAsync(cancellationToken: Token);
        await Task.Yield();

        Assert.Empty(FakeGrains.Of(_fleet.Grains).References);
    }

    [Fact]
    public async Task WatchAsync_Fleet_IsStartedThenEventsUntilTheReaderLeaves()
    {
        await using (var events = Cluster().WatchAsync(new PinFilter(13), Token).GetAsyncEnumerator(Token))
        {
            Assert.Equal(new WatchStartedEvent(TestClock.Noon), await NextAsync(events));
            var options = (await _fleet.Watched).Options;
            Assert.Equal((new PinFilter(13), false, false), (options.Pins, options.IncludePresence, options.IncludeUnchanged));

            await _fleet.SendAsync(Changed(13, PinState.High, 1));

            Assert.Equal(Changed(13, PinState.High, 1), await NextAsync(events));
        }

        Assert.Single(_fleet.Unwatched);
    }

    [Fact]
    public async Task WatchAsync_CancelledWhileEventsWait_EndsWithoutThem()
    {
        using CancellationTokenSource reader = new();
        await using var events = Cluster().WatchAsync(cancellationToken: reader.Token).GetAsyncEnumerator(Token);
        await NextAsync(events);
        await _fleet.SendAsync(Changed(13, PinState.High, 1), Changed(13, PinState.Low, 2));

        await reader.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => events.MoveNextAsync().AsTask());
    }

    [Fact]
    public async Task WatchAsync_Device_LeavesOutWhatTheSnapshotHas()
    {
        TaskCompletionSource<DeviceSnapshot> snapshot = new();
        _device.Snapshot = () => snapshot.Task;
        await using var events = Cluster().WatchAsync("a", cancellationToken: Token).GetAsyncEnumerator(Token);
        var first = events.MoveNextAsync().AsTask();
        await _device.Asked.WaitAsync(TestClock.Bound, Token);
        await _fleet.SendAsync(
            new DeviceAddedEvent("a", At(0)), Is(Presence.Offline, 1), Is(Presence.Online, 2), Changed(13, PinState.Low, 1), Changed(13, PinState.High, 2));
        DeviceSnapshot known = new("a", [Pin(13, PinState.High, 2)], At(2)) { FirstSeen = At(0), Presence = new(Presence.Online, PresenceReason.Birth, At(2)), AsOf = At(2) };
        snapshot.SetResult(known);
        Assert.True(await first.WaitAsync(TestClock.Bound, Token));
        Assert.Equal(new DeviceSnapshotEvent(known), events.Current);

        DeviceEvent[] news = [Changed(14, PinState.High, 1), Changed(13, PinState.Low, 3), Is(Presence.Offline, 4), new DeviceForgottenEvent("a", At(5))];
        await _fleet.SendAsync(news);

        foreach (var value in news)
        {
            Assert.Equal(value, await NextAsync(events));
        }
    }

    [Fact]
    public async Task WatchAsync_DeviceAfterAGap_HasANewSnapshot()
    {
        await using var events = Cluster().WatchAsync("a", new(13), Token).GetAsyncEnumerator(Token);
        await NextAsync(events);
        DeviceSnapshot newer = new("a", [Pin(13, PinState.High, 9)], At(9));
        _device.Snapshot = () => Task.FromResult(newer);
        GapEvent gap = new("a", At(9), GapReason.DeviceInterrupted);
        await _fleet.SendAsync(gap, Changed(13, PinState.High, 9), Changed(13, PinState.Low, 10));

        Assert.Equal(gap, await NextAsync(events));
        Assert.Equal(new DeviceSnapshotEvent(newer), await NextAsync(events));
        Assert.Equal(Changed(13, PinState.Low, 10), await NextAsync(events));
        var options = (await _fleet.Watched).Options;
        Assert.Equal(("a", new PinFilter(13), true), (options.DeviceId, options.Pins, options.IncludePresence));
    }

    [Fact]
    public async Task WatchAsync_SiloOfTheDeviceIsLost_AsksForTheSnapshotAgain()
    {
        Queue<Func<Task<DeviceSnapshot>>> answers = new(
        [
            static () => Task.FromException<DeviceSnapshot>(new OrleansException("gone")), static () => Task.FromException<DeviceSnapshot>(new TimeoutException()),
        ]);
        _device.Snapshot = () => answers.TryDequeue(out var answer) ? answer() : Task.FromResult(new DeviceSnapshot("a", [], null));
        await using var events = Cluster().WatchAsync("a", cancellationToken: Token).GetAsyncEnumerator(Token);
        var first = events.MoveNextAsync().AsTask();

        await _time.PassUntilAsync(first);

        Assert.IsType<DeviceSnapshotEvent>(events.Current);
    }

    [Fact]
    public async Task OnUpdate_PinFilter_CallsBackForPinsOnlyAndAsksForUnchangedOnes()
    {
        TaskCompletionSource<PinEvent> called = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var subscription = Cluster().OnUpdate(new PinFilter(13), (value, _) =>
        {
            called.SetResult(value);
            return Task.CompletedTask;
        });
        await subscription.Started.WaitAsync(TestClock.Bound, Token);
        await _fleet.SendAsync(new GapEvent(null, At(0), GapReason.SiloLost), Changed(13, PinState.High, 1));

        Assert.Equal(Changed(13, PinState.High, 1), await called.Task.WaitAsync(TestClock.Bound, Token));
        var options = (await _fleet.Watched).Options;
        Assert.Equal((new PinFilter(13), false, true), (options.Pins, options.IncludePresence, options.IncludeUnchanged));
    }

    [Fact]
    public async Task ListDevicesAsync_SeveralPages_AreOneListing()
    {
        _fleet.Pages.Enqueue(static () => Task.FromResult(Page("x", "a", "b")));
        _fleet.Pages.Enqueue(static () => Task.FromResult(Page("y"))); // None on this page, but there are more.
        _fleet.Pages.Enqueue(static () => Task.FromResult(Page(null, "c")));
        DeviceFilter filter = new("a");

        Assert.Equal(["a", "b", "c"], await Cluster().ListDevicesAsync(filter, Token).Select(device => device.DeviceId).ToListAsync(Token));
        Assert.Equal([(filter, null), (filter, "x"), (filter, "y")], _fleet.Asked);
    }

    [Fact]
    public async Task ListDevicesAsync_SiloIsLost_AsksForThePageAgain()
    {
        _fleet.Pages.Enqueue(static () => Task.FromResult(Page("x", "a")));
        _fleet.Pages.Enqueue(static () => Task.FromException<DevicePage>(new TimeoutException()));
        _fleet.Pages.Enqueue(static () => Task.FromException<DevicePage>(new OrleansException("gone")));
        _fleet.Pages.Enqueue(static () => Task.FromResult(Page(null, "b")));
        var listing = Cluster().ListDevicesAsync(null, Token).Select(device => device.DeviceId).ToListAsync(Token).AsTask();

        await _time.PassUntilAsync(listing);

        Assert.Equal(["a", "b"], await listing);
        Assert.Equal([null, "x", "x", "x"], _fleet.Asked.Select(asked => asked.Continuation));
    }

    [Fact]
    public async Task ListDevicesAsync_ClusterStaysAway_FailsAfterAFewAttempts()
    {
        for (var i = 0; i < 4; i++)
        {
            _fleet.Pages.Enqueue(static () => Task.FromException<DevicePage>(new TimeoutException()));
        }

        var listing = Cluster().ListDevicesAsync(null, Token).ToListAsync(Token).AsTask();

        await Assert.ThrowsAsync<TimeoutException>(() => _time.PassUntilAsync(listing));
        Assert.Empty(_fleet.Pages);
    }

    [Fact]
    public async Task ListDevicesAsync_StoreIsAway_SaysSoAtOnce()
    {
        _fleet.Pages.Enqueue(static () => Task.FromException<DevicePage>(new FleetUnavailableException("The store is away.")));

        await Assert.ThrowsAsync<FleetUnavailableException>(async () => await Cluster().ListDevicesAsync(null, Token).ToListAsync(Token));
    }

    private sealed class FakeDevice : IDeviceGrain
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Func<Task<DeviceSnapshot>> Snapshot { get; set; } = static () => Task.FromResult(new DeviceSnapshot("a", [], null));

        public int Calls { get; private set; }

        /// <summary>Gets a task that ends when the snapshot was asked for.</summary>
        public Task Asked => _asked.Task;

        public Task<DeviceSnapshot> GetSnapshotAsync(CancellationToken cancellationToken)
        {
            Calls++;
            _asked.TrySetResult();
            return Snapshot();
        }

        public Task<bool> ForgetAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter? filter, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<CommandResult> ConfigPinsAsync(ImmutableArray<ConfigPin> pins, CommandOptions? options, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<CommandResult> SetPinsAsync(ImmutableArray<SetPin> pins, CommandOptions? options, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<CommandResult> UpdateAsync(ImmutableArray<int> pins, CommandOptions? options, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<ImmutableArray<PinUpdate>> WaitForAsync(ImmutableArray<PinFilter> filters, WaitOptions? options, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
