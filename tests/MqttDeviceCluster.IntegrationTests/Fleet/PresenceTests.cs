using System.Collections.Immutable;
using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>Who is there, as a real broker and real connections tell it.</summary>
public sealed class PresenceTests(ITestOutputHelper output)
{
    private const string Report = """[{"pin":13,"mode":3,"state":1}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Device_KilledWithoutGoodbye_IsOfflineByItsLastWillAndItsCommandsFail()
    {
        await using var system = await FleetSystem.StartAsync(silos: 1);
        var cluster = await system.ConnectAsync();
        await using var watch = await WatchLog.StartAsync(token => cluster.WatchAsync(cancellationToken: token));
        await using SimulatedFleet fleet = new(new()
        {
            Broker = new(system.Broker.ConnectionString),
            Ids = ["d1", "d2"],
            Behavior = DeviceBehavior.Default with { Status = StatusStyle.Json, Firmware = "2.0.0" },
        });
        await fleet.StartAsync(Cancelled);
        var (_, born) = await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "d1", Presence.Online, PresenceReason.Birth), "the birth of d1");
        await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "d2", Presence.Online, PresenceReason.Birth), "the birth of d2");

        fleet["d1"].DropConnection();
        var (_, died) = await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "d1", Presence.Offline, PresenceReason.LastWill), "the end of d1", born);

        using var broker = await RawClient.ConnectAsync(system.Broker);
        await broker.SubscribeAsync("device/+/pin/set");
        var started = Stopwatch.StartNew();
        var failure = await Assert.ThrowsAsync<DeviceOfflineException>(() => cluster.SetPinsAsync(
            "d1", [new(13, PinState.High)], new() { WhenOffline = WhenOffline.Fail, Timeout = TimeSpan.FromMinutes(2) }, Cancelled));
        output.WriteLine($"failed after {started.Elapsed.TotalMilliseconds:0} ms: {failure.Message}");
        Assert.Equal((Presence.Offline, PresenceReason.LastWill), (failure.Presence?.State, failure.Presence?.Reason));
        Assert.True(started.Elapsed < TimeSpan.FromMinutes(1), "It waited for something.");

        // The same connection of the silo publishes the next command, so one for d1 would have come before it.
        await cluster.SetPinsAsync("d2", [new(13, PinState.High)], new() { WhenOffline = WhenOffline.Fail, Timeout = TimeSpan.FromMinutes(1) }, Cancelled);
        await broker.WaitForAsync("device/d2/pin/set");
        Assert.Equal("device/d2/pin/set", Assert.Single(broker.Received).Topic);

        await fleet["d1"].ReconnectAsync(reboot: true, Cancelled);
        await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "d1", Presence.Online, PresenceReason.Birth), "the return of d1", died);
        await cluster.SetPinsAsync("d1", [new(13, PinState.High)], new() { WhenOffline = WhenOffline.Fail, Timeout = TimeSpan.FromMinutes(1) }, Cancelled);
        Assert.Equal("2.0.0", (await cluster.GetSnapshotAsync("d1", Cancelled)).Firmware);
        Assert.Equal(4, watch.Events.Count(static value => value is PresenceEvent));
    }

    [Fact]
    public async Task Will_OfAnOlderBoot_LeavesTheDeviceOnline()
    {
        await using var system = await FleetSystem.StartAsync(silos: 1);
        var cluster = await system.ConnectAsync();
        await using var watch = await WatchLog.StartAsync(token => cluster.WatchAsync(cancellationToken: token));
        using var broker = await RawClient.ConnectAsync(system.Broker);
        await broker.SubscribeAsync("device/d1/status");

        // The device lost its power, is back, and the broker has not yet noticed that its old connection is dead.
        var old = await RawClient.ConnectAsync(system.Broker, "device/d1/status", """{"online":false,"boot":1}""");
        await old.PublishAsync("device/d1/status", """{"online":true,"boot":1}""", retain: true);
        await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "d1", Presence.Online, PresenceReason.Birth), "the first birth");
        using var back = await RawClient.ConnectAsync(system.Broker, "device/d1/status", """{"online":false,"boot":2}""");
        await back.PublishAsync("device/d1/status", """{"online":true,"boot":2}""", retain: true);
        old.Dispose();
        await broker.WaitForAsync("device/d1/status", static payload => payload == """{"online":false,"boot":1}""");

        await back.PublishAsync("device/d1/pin/update", Report);
        await watch.WaitForAsync<PinEvent>(static _ => true, "the update after the old will");
        Assert.Equal(Presence.Online, (await cluster.GetSnapshotAsync("d1", Cancelled)).Presence.State);
        Assert.Single(watch.Events, static value => value is PresenceEvent);

        back.Dispose();
        await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "d1", Presence.Offline, PresenceReason.LastWill), "the end by its own will");
    }

    [Fact]
    public async Task Silence_OfADeviceWithoutStatus_TakesItOfflineAndTrafficBringsItBack()
    {
        // d1 and d2 fall silent, d3 goes on, and d4 has a status: its silence says nothing.
        await using var system = await FleetSystem.StartAsync(silos: 1, "--Devices:OfflineAfterSilence=00:00:02", "--Mqtt:KeepAlive=00:00:01");
        var cluster = await system.ConnectAsync();
        await using var watch = await WatchLog.StartAsync(token => cluster.WatchAsync(cancellationToken: token));
        using var publisher = await RawClient.ConnectAsync(system.Broker);
        await publisher.PublishAsync("device/d4/status", """{"online":true,"boot":1}""");
        await publisher.PublishAsync("device/d1/pin/update", Report);
        await publisher.PublishAsync("device/d2/pin/update", Report);
        using CancellationTokenSource enough = new();
        var goesOn = KeepSendingAsync(publisher, ["d3"], enough.Token);

        foreach (var deviceId in (string[])["d1", "d2"])
        {
            var (offline, at) = await watch.WaitForAsync<PresenceEvent>(
                value => Is(value, deviceId, Presence.Offline, PresenceReason.Silence), $"the silence of {deviceId}");
            var seen = (await cluster.GetSnapshotAsync(deviceId, Cancelled)).LastSeen!.Value;
            Assert.Equal(TimeSpan.FromSeconds(2), offline.At - seen);
            await publisher.PublishAsync($"device/{deviceId}/pin/update", Report);
            await watch.WaitForAsync<PresenceEvent>(
                value => Is(value, deviceId, Presence.Online, PresenceReason.Traffic), $"the return of {deviceId}", at);
        }

        // d1 was back first: when it is silent again, d2 has been back for less than that, or was silent once more as well.
        await watch.WaitForAsync<PresenceEvent>(
            static value => Is(value, "d2", Presence.Offline, PresenceReason.Silence),
            "the second silence of d2",
            after: watch.Events.Index().Last(static entry => entry.Item is PresenceEvent { DeviceId: "d2", Presence.State: Presence.Online }).Index);
        await enough.CancelAsync();
        await goesOn;
        var events = watch.Events.OfType<PresenceEvent>().ToList();
        output.WriteLine(string.Join('\n', events));
        Assert.Equal([Presence.Online, Presence.Offline, Presence.Online, Presence.Offline], events.Where(static value => value.DeviceId == "d2").Select(static value => value.Presence.State));
        Assert.Single(events, static value => value.DeviceId == "d3");
        Assert.Single(events, static value => value.DeviceId == "d4");
    }

    [Fact]
    public async Task Outage_OfTheBroker_LeavesEveryPresenceAsItWas()
    {
        // The limit is shorter than either outage, and the keep-alive by which a frozen broker is noticed shorter still.
        await using var system = await FleetSystem.StartAsync(
            silos: 1, "--Devices:OfflineAfterSilence=00:00:04", "--Mqtt:KeepAlive=00:00:01", "--Mqtt:MaxReconnectDelay=00:00:00.500");
        var cluster = await system.ConnectAsync();
        await using var watch = await WatchLog.StartAsync(token => cluster.WatchAsync(cancellationToken: token));
        await using SimulatedFleet fleet = new(new()
        {
            Broker = new(system.Broker.ConnectionString),
            Ids = ["s1", "s2", "s3", "gone"],
            Behavior = DeviceBehavior.Default with { Status = StatusStyle.Json },
            ReportInterval = TimeSpan.FromMilliseconds(500),
        });
        await fleet.StartAsync(Cancelled);
        ImmutableArray<string> plain = ["p1", "p2", "p3"];
        await using var first = await Sender.StartAsync(system.Broker, plain);
        await Task.WhenAll(((string[])["s1", "s2", "s3", "p1", "p2", "p3", "gone"]).Select(deviceId => watch.WaitForAsync<PresenceEvent>(
            value => value.DeviceId == deviceId && value.Presence.State == Presence.Online, $"{deviceId} online")));
        fleet["gone"].DropConnection();
        await watch.WaitForAsync<PresenceEvent>(static value => Is(value, "gone", Presence.Offline, PresenceReason.LastWill), "the end of one");
        var before = await PresencesAsync(cluster);
        Assert.Equal(7, before.Count);
        var eventsBefore = watch.Events.Count(static value => value is PresenceEvent);

        await first.DisposeAsync();
        await system.Broker.KillAsync();
        // The outage itself: longer than the limit.
        await Task.Delay(TimeSpan.FromSeconds(6), Cancelled);
        await system.Broker.StartAsync();
        await using (await Sender.StartAsync(system.Broker, plain))
        {
            await HeardAsync(cluster, plain);
            Assert.Equal(before, await PresencesAsync(cluster));

            system.Broker.Suspend();
            // Again, with connections that stay open and say nothing.
            await Task.Delay(TimeSpan.FromSeconds(6), Cancelled);
            system.Broker.Resume();
            await HeardAsync(cluster, plain);
            Assert.Equal(before, await PresencesAsync(cluster));
        }

        Assert.Equal(eventsBefore, watch.Events.Count(static value => value is PresenceEvent));

        // And the limit still holds: those that are now really silent go.
        var since = watch.Count - 1;
        await Task.WhenAll(plain.Select(deviceId => watch.WaitForAsync<PresenceEvent>(
            value => Is(value, deviceId, Presence.Offline, PresenceReason.Silence), $"the silence of {deviceId}", since)));
    }

    private static bool Is(PresenceEvent value, string deviceId, Presence state, PresenceReason reason) =>
        value.DeviceId == deviceId && value.Presence.State == state && value.Presence.Reason == reason;

    private static async Task<SortedDictionary<string, DevicePresence>> PresencesAsync(IDeviceCluster cluster)
    {
        SortedDictionary<string, DevicePresence> presences = [];
        await foreach (var device in cluster.ListDevicesAsync(cancellationToken: Cancelled))
        {
            presences.Add(device.DeviceId, device.Presence);
        }

        return presences;
    }

    /// <summary>Waits until each device was heard of again.</summary>
    private static async Task HeardAsync(IDeviceCluster cluster, ImmutableArray<string> deviceIds)
    {
        var now = DateTimeOffset.MinValue;
        foreach (var deviceId in deviceIds)
        {
            var last = await cluster.GetSnapshotAsync(deviceId, Cancelled);
            now = last.AsOf > now ? last.AsOf : now;
        }

        await Task.WhenAll(deviceIds.Select(deviceId => HeardAsync(cluster, deviceId, now)));
    }

    private static async Task HeardAsync(IDeviceCluster cluster, string deviceId, DateTimeOffset after)
    {
        var bound = Stopwatch.StartNew();
        while ((await cluster.GetSnapshotAsync(deviceId, Cancelled)).LastSeen is not { } seen || seen <= after)
        {
            Assert.True(bound.Elapsed < TimeSpan.FromSeconds(60), $"{deviceId} was not heard of again.");
            // A report that changes nothing is no event: the device is asked for again.
            await Task.Delay(50, Cancelled);
        }
    }

    private static async Task KeepSendingAsync(RawClient publisher, ImmutableArray<string> deviceIds, CancellationToken enough)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(200));
        while (!enough.IsCancellationRequested)
        {
            await Task.WhenAll(deviceIds.Select(deviceId => publisher.PublishAsync($"device/{deviceId}/pin/update", Report)));
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    /// <summary>Devices without a status that send five times a second until they are disposed.</summary>
    private sealed class Sender : IAsyncDisposable
    {
        private readonly RawClient _client;
        private readonly CancellationTokenSource _enough = new();
        private readonly Task _run;
        private bool _disposed;

        private Sender(RawClient client, ImmutableArray<string> deviceIds)
        {
            _client = client;
            _run = KeepSendingAsync(client, deviceIds, _enough.Token);
        }

        public static async Task<Sender> StartAsync(MosquittoBroker broker, ImmutableArray<string> deviceIds) => new(await RawClient.ConnectAsync(broker), deviceIds);

        public async ValueTask DisposeAsync()
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            await _enough.CancelAsync();
            await _run;
            _client.Dispose();
            _enough.Dispose();
        }
    }
}
