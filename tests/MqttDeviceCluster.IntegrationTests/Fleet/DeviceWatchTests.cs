using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>One device is watched through the facade.</summary>
public sealed class DeviceWatchTests
{
    [Fact]
    public async Task Watch_OnlySiloKilledAndStartedAgain_GoesOnWithAGapAndAFreshSnapshot()
    {
        await using var system = await FleetSystem.StartAsync(silos: 1);
        var client = await system.ConnectAsync();
        await using TestPublisher publisher = new(system.Broker);
        await using var watch = await WatchLog.StartAsync(token => client.WatchAsync("0a", new PinFilter(Pin: 13), token));
        var unknown = Assert.IsType<DeviceSnapshotEvent>(watch.Events[0]).Snapshot;
        Assert.Equal(("0a", null, Presence.Unknown), (unknown.DeviceId, unknown.FirstSeen, unknown.Presence.State));

        await ReportAsync(13, 1);
        await ReportAsync(14, 1);
        await ReportAsync(13, 1);
        await ReportAsync(13, 0);
        await watch.WaitForCountAsync(5);
        Assert.Collection(
            watch.Events.Skip(1),
            static value => Assert.IsType<DeviceAddedEvent>(value),
            static value => Assert.Equal((Presence.Online, PresenceReason.Traffic), PresenceOf(value)),
            static value => Assert.Equal((13, PinState.High, true), PinOf(value)),
            static value => Assert.Equal((13, PinState.Low, true), PinOf(value)));

        await system.Silos[0].KillAsync();
        await ReportAsync(13, 1);
        await system.StartFirstAsync();

        var (_, gapAt) = await watch.WaitForAsync<GapEvent>(static _ => true, "the gap");
        await watch.WaitForCountAsync(gapAt + 2);

        // The new silo may tell what it heard before the watcher has noticed that it is another one.
        Assert.All(watch.Events.Take(gapAt).Skip(5), static value => Assert.IsType<PinEvent>(value));
        var fresh = Assert.IsType<DeviceSnapshotEvent>(watch.Events[gapAt + 1]).Snapshot;
        Assert.Equal([13, 14], fresh.Pins.Select(static pin => pin.Pin));
        Assert.Equal(Presence.Online, fresh.Presence.State);

        // What was sent while no silo was there is in the snapshot or told after it; then the watch goes on.
        await ReportAsync(13, 0);
        await ReportAsync(13, 1);
        await watch.WaitForAsync<PinEvent>(static value => value is { Redelivered: false, Update.State: PinState.High }, "the last change", after: gapAt + 1);
        var after = watch.Events.Skip(gapAt + 1).ToList();
        Assert.DoesNotContain(after, static value => value is PresenceEvent or DeviceAddedEvent);
        Assert.All(after.OfType<PinEvent>(), static value => Assert.Equal(13, value.Update.Pin));

        async Task ReportAsync(int pin, int state) => await publisher.PublishAsync("device/0a/pin/update", $$"""[{"pin":{{pin}},"mode":3,"state":{{state}}}]""");
    }

    private static (Presence State, PresenceReason Reason) PresenceOf(DeviceEvent value)
    {
        var presence = Assert.IsType<PresenceEvent>(value).Presence;
        return (presence.State, presence.Reason);
    }

    private static (int Pin, PinState? State, bool Changed) PinOf(DeviceEvent value)
    {
        var pin = Assert.IsType<PinEvent>(value);
        return (pin.Update.Pin, pin.Update.State, pin.Changed);
    }
}
