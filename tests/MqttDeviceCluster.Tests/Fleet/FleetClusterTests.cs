using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streams;
using MqttDeviceCluster.Tests.Grains;
using Orleans.TestingHost;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Fleet;

/// <summary>The fleet over two silos and a client outside of them: what is told to whom, in which order, and what happens when a silo goes.</summary>
public sealed class FleetClusterTests : IAsyncLifetime
{
    private readonly FakeMqtt _mqtt = new();
    private readonly FakeStorage _storage = new();
    private InProcessTestCluster _cluster = null!;
    private IDeviceCluster _devices = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _cluster = DeviceClusterFixture.Build(2, _mqtt, _storage, memoryStorage: false);
        await _cluster.DeployAsync();
        _devices = _cluster.Client.ServiceProvider.GetRequiredService<IDeviceCluster>();
    }

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task WatchAsync_DevicesOnBothSilos_TellsEachChangeOnceAndInOrder()
    {
        await using var watch = await EventReader.StartAsync(_devices.WatchAsync(new PinFilter(Pin: 13), Token));
        var ids = Enumerable.Range(0, 20).Select(static i => $"d{i}").ToArray();
        for (var round = 0; round < 10; round++)
        {
            foreach (var id in ids)
            {
                await Send(id, Of(Reading(13, round % 2 == 0 ? PinState.High : PinState.Low), Reading(14, PinState.High)));
            }
        }

        var events = await watch.TakeAsync(ids.Length * 10);
        Assert.All(events, static value => Assert.True(Assert.IsType<PinEvent>(value).Changed));
        foreach (var id in ids)
        {
            var states = events.OfType<PinEvent>().Where(value => value.DeviceId == id).Select(static value => value.Update.State);
            Assert.Equal(Enumerable.Range(0, 10).Select(static i => (PinState?)(i % 2 == 0 ? PinState.High : PinState.Low)), states);
        }
    }

    [Fact]
    public async Task WatchAsync_NewDeviceComesAndGoes_TellsAddedPresenceAndForgotten()
    {
        await using var watch = await EventReader.StartAsync(_devices.WatchAsync(cancellationToken: Token));

        await Send("new", Of(Reading(13, PinState.High)));
        await Send("new", new DeviceStatus(TestClock.Noon, Retained: false, Online: false));
        await Send("new", new DeviceStatus(TestClock.Noon, Retained: false, Online: true) { Boot = 3, Firmware = "1.6.0" });
        var events = await watch.TakeAsync(5);
        Assert.Equal(
            ["DeviceAddedEvent", "PresenceEvent", "PinEvent", "PresenceEvent", "PresenceEvent"], events.Select(static value => value.GetType().Name));
        Assert.Equal(
            [PresenceReason.Traffic, PresenceReason.LastWill, PresenceReason.Birth],
            events.OfType<PresenceEvent>().Select(static value => value.Presence.Reason));
        Assert.Equal("1.6.0", (await _devices.GetSnapshotAsync("new", Token)).Firmware);

        Assert.True(await _devices.ForgetAsync("new", Token));
        Assert.IsType<DeviceForgottenEvent>(Assert.Single(await watch.TakeAsync(1)));
        Assert.Null(_storage.Of("new").Data);
        Assert.False(await _devices.ForgetAsync("new", Token));
        Assert.Empty((await _devices.GetSnapshotAsync("new", Token)).Pins);

        await Send("new", Of(Reading(13, PinState.High)));
        Assert.IsType<DeviceAddedEvent>((await watch.TakeAsync(3))[0]);
    }

    [Fact]
    public async Task WatchAsync_SiloKilled_MarksTheGapAndGoesOn()
    {
        await using var watch = await EventReader.StartAsync(_devices.WatchAsync(cancellationToken: Token));
        await Send("known", Of(Reading(13, PinState.High)));
        await watch.WaitForAsync(static value => value is PinEvent { DeviceId: "known" });
        await _cluster.KillSiloAsync(_cluster.Silos[1], Token);

        await watch.WaitForAsync(static value => value is GapEvent { Reason: GapReason.SiloLost });

        // Not a message: the memory streams may have lost their queue with the silo.
        Assert.True(await _devices.ForgetAsync("known", Token));
        await watch.WaitForAsync(static value => value is DeviceForgottenEvent { DeviceId: "known" });
    }

    [Fact]
    public async Task WatchAsync_SiloStops_LeavesNoGap()
    {
        await using var watch = await EventReader.StartAsync(_devices.WatchAsync(cancellationToken: Token));
        for (var i = 0; i < 20; i++)
        {
            await Send($"s{i}", Of(Reading(13, PinState.High)));
        }

        await watch.TakeAsync(60);
        await _cluster.StopSiloAsync(_cluster.Silos[1], Token);
        for (var i = 0; i < 20; i++)
        {
            await Send($"s{i}", Of(Reading(13, PinState.Low)));
        }

        var events = await watch.TakeAsync(20);
        Assert.All(events, static value => Assert.IsType<PinEvent>(value));
    }

    [Fact]
    public async Task WatchAsync_SiloJoins_TellsItsDevicesToo()
    {
        await using var watch = await EventReader.StartAsync(_devices.WatchAsync(new PinFilter(Pin: 13), Token));
        await _cluster.StartAdditionalSiloAsync();
        for (var i = 0; i < 60; i++)
        {
            await Send($"j{i}", Of(Reading(13, PinState.High)));
        }

        // It may have had news before it heard of the watch: then it says so.
        HashSet<string> seen = [];
        await watch.WaitForAsync(value => value is GapEvent || (value is PinEvent pin && seen.Add(pin.DeviceId!) && seen.Count == 60));
    }

    [Fact]
    public async Task WatchAsync_OneDevice_BeginsWithItsSnapshotAndTellsItsChangesOnly()
    {
        await Send("one", Of(Reading(13, PinState.Low)));
        await DeviceGrainTests.Until(() => _storage.Of("one").Writes == 1);
        await using var watch = EventReader.Read(_devices.WatchAsync("one", cancellationToken: Token));

        var snapshot = Assert.IsType<DeviceSnapshotEvent>(Assert.Single(await watch.TakeAsync(1))).Snapshot;
        Assert.Equal(PinState.Low, Assert.Single(snapshot.Pins).State);
        await Send("other", Of(Reading(13, PinState.High)));
        await Send("one", new DeviceUpdate(TestClock.Noon + TimeSpan.FromSeconds(1), Retained: false, [Reading(13, PinState.High)]));
        var change = Assert.IsType<PinEvent>(Assert.Single(await watch.TakeAsync(1)));
        Assert.Equal(("one", PinState.High), (change.DeviceId, change.Update.State));
    }

    [Fact]
    public async Task GrainWatchAsync_CommandRuns_BothEnd()
    {
        _mqtt.Device("busy").OnCommand = command => Send("busy", FakeDevice.Answer(command));
        var grain = _cluster.Client.GetGrain<IDeviceGrain>("busy");
        await using var watch = EventReader.Read(grain.WatchAsync(null, Token));
        Assert.IsType<DeviceSnapshotEvent>(Assert.Single(await watch.TakeAsync(1)));

        await _devices.SetPinsAsync("busy", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(45) }, Token);
        var events = await watch.TakeAsync(3);
        Assert.Equal(["DeviceAddedEvent", "PresenceEvent", "PinEvent"], events.Select(static value => value.GetType().Name));
    }

    [Fact]
    public async Task GrainWatchAsync_SiloStops_EndsWithATypedError()
    {
        var grain = _cluster.Client.GetGrain<IDeviceGrain>("ending");
        await using var watch = EventReader.Read(grain.WatchAsync(null, Token));
        await watch.TakeAsync(1);
        foreach (var silo in _cluster.Silos.ToArray())
        {
            await _cluster.StopSiloAsync(silo, Token);
        }

        Assert.True(await watch.FailureAsync() is DeviceInterruptedException or EnumerationAbortedException or Orleans.Runtime.OrleansException);
    }

    [Fact]
    public async Task OnUpdate_CallbackThrows_NextIsCalled()
    {
        ConcurrentQueue<PinState?> seen = new();
        TaskCompletionSource done = new();
        await using var subscription = _devices.OnUpdate(new PinFilter(Pin: 13), (value, _) =>
        {
            seen.Enqueue(value.Update.State);
            if (seen.Count == 3)
            {
                done.SetResult();
            }

            return seen.Count == 1 ? throw new InvalidOperationException("callback") : Task.CompletedTask;
        });
        await subscription.Started.WaitAsync(TestClock.Bound, Token);

        await Send("cb", Of(Reading(13, PinState.High)));
        await Send("cb", Of(Reading(13, PinState.High)));
        await Send("cb", Of(Reading(13, PinState.Low)));
        await done.Task.WaitAsync(TestClock.Bound, Token);
        Assert.Equal([PinState.High, PinState.High, PinState.Low], seen);
    }

    [Fact]
    public async Task ListDevicesAsync_StoreCannotBeListed_TellsTheActiveOnes()
    {
        for (var i = 0; i < 30; i++)
        {
            await Send($"l{i:00}", Of(Reading(13, i % 3 == 0 ? PinState.High : PinState.Low)));
        }

        await DeviceGrainTests.Until(() => Enumerable.Range(0, 30).All(i => _storage.Of($"l{i:00}").Writes == 1));
        var all = await _devices.ListDevicesAsync(cancellationToken: Token).ToListAsync(Token);
        Assert.Equal(Enumerable.Range(0, 30).Select(static i => $"l{i:00}"), all.Select(static device => device.DeviceId));
        Assert.All(all, static device => Assert.Equal(Presence.Online, device.Presence.State));
        Assert.Equal(10, await _devices.ListDevicesAsync(new(Pin: new(13, State: PinState.High)), Token).CountAsync(Token));
        Assert.Equal(10, await _devices.ListDevicesAsync(new(IdPrefix: "l1"), Token).CountAsync(Token));
    }

    private Task Send(string deviceId, DeviceMessage message) =>
        _cluster.Silos[0].ServiceProvider.GetRequiredKeyedService<Orleans.Streams.IStreamProvider>(DeviceStreams.ProviderName)
            .GetStream<DeviceMessage>(StreamId.Create(DeviceStreams.Messages, deviceId)).OnNextAsync(message);
}
