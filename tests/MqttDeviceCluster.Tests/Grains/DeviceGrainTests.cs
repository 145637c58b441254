using System.Collections.Concurrent;
using System.Collections.Immutable;
using MqttDeviceCluster.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>The grain in a cluster of two silos, called from a client outside of them.</summary>
[Collection(DeviceClusterTestGroup.Name)]
public sealed class DeviceGrainTests(DeviceClusterFixture fixture)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>For commands that must be confirmed, however busy the machine is.</summary>
    private static CommandOptions Patient => new() { Timeout = TimeSpan.FromSeconds(45) };

    private IDeviceCluster Devices => fixture.Devices;

    private static string NewDevice() => DeviceClusterFixture.NewDevice();

    private static Task<T> Ends<T>(Task<T> task) => task.WaitAsync(TestClock.Bound, Token);

    [Fact]
    public async Task EveryCommand_DeviceAnswers_IsConfirmedWithWhatItSaid()
    {
        var id = fixture.NewAnsweringDevice();

        var config = await Ends(Devices.ConfigPinsAsync(id, [new(13, PinMode.Output, PinState.High), new(14, PinMode.Output)], Patient, Token));
        var set = await Ends(Devices.SetPinsAsync(id, [new(14, PinState.High), new(13, PinState.Low)], Patient, Token));
        var update = await Ends(Devices.UpdateAsync(id, [13, 14], Patient, Token));
        var all = await Ends(Devices.UpdateAsync(id, [], Patient, Token));

        Assert.Equal([13, 14], config.Updates.Select(pin => pin.Pin));
        Assert.Equal([(14, PinState.High), (13, PinState.Low)], set.Updates.Select(pin => (pin.Pin, pin.State)));
        Assert.Equal(Evidence.Observed, set.Evidence);
        Assert.Equal(id, set.DeviceId);
        Assert.Equal([13, 14], update.Updates.Select(pin => pin.Pin));
        Assert.Empty(all.Updates);
        Assert.Equal(4, fixture.Mqtt.Device(id).Received.Select(command => command.CommandId).Distinct().Count());
        Assert.Equal(PinState.Low, (await Devices.GetPinAsync(id, 13, Token))?.State);
    }

    [Fact]
    public async Task SetPinsAsync_AnswerIsAppliedBeforeThePublishReturns_IsConfirmed()
    {
        var id = NewDevice();
        fixture.Mqtt.Device(id).OnCommand = async command =>
        {
            await fixture.SendAsync(id, FakeDevice.Answer(command));
            await UntilKnown(id, 13, PinState.High);
        };

        await Ends(Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Token));
    }

    [Fact]
    public async Task SetPinsAsync_AnswerInSeveralUpdatesAmongOthers_IsConfirmed()
    {
        var id = NewDevice();
        fixture.Mqtt.Device(id).OnCommand = async command =>
        {
            await fixture.SendAsync(id, Of(Reading(99, PinState.High)));
            foreach (var pin in FakeDevice.Answer(command).Pins.Reverse())
            {
                await fixture.SendAsync(id, Of(pin) with { CommandId = command.CommandId });
            }
        };

        var result = await Ends(Devices.SetPinsAsync(id, [new(13, PinState.High), new(14, PinState.Low)], Patient, Token));

        Assert.Equal([13, 14], result.Updates.Select(pin => pin.Pin));
        Assert.Equal(Evidence.Echoed, result.Evidence);
    }

    [Fact]
    public async Task SetPinsAsync_RetainedOrLateUpdate_NeverConfirms()
    {
        var id = NewDevice();
        await fixture.SendAsync(id, Of(Reading(13, PinState.Low)) with { Boot = 1, Seq = 5 });
        await UntilKnown(id, 13, PinState.Low);
        fixture.Mqtt.Device(id).OnCommand = async _ =>
        {
            await fixture.SendAsync(id, Of(Reading(13, PinState.High)) with { Boot = 1, Seq = 5 });
            await fixture.SendAsync(id, Of(Reading(13, PinState.High)) with { Retained = true });
            await UntilKnown(id, 13, PinState.High);
        };

        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(
            () => Ends(Devices.SetPinsAsync(id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Token)));

        Assert.Equal(id, timeout.DeviceId);
        Assert.Equal([13], timeout.MissingPins);
        Assert.True(timeout.Published);
    }

    [Fact]
    public async Task Commands_OfSeveralCallers_TakeTurnsInTheOrderTheyCame()
    {
        var id = NewDevice();
        var running = 0;
        var overlapped = false;
        fixture.Mqtt.Device(id).OnCommand = async command =>
        {
            overlapped |= Interlocked.Increment(ref running) > 1;
            await Task.Yield();
            Interlocked.Decrement(ref running);
            await fixture.SendAsync(id, FakeDevice.Answer(command));
        };

        CommandOptions options = new() { Timeout = TimeSpan.FromSeconds(45) };
        await Task.WhenAll(Enumerable.Range(0, 30).Select(i => Ends(Devices.UpdateAsync(id, [i], options, Token))));

        Assert.False(overlapped);
        Assert.Equal(30, fixture.Mqtt.Device(id).Received.Count);
    }

    [Fact]
    public async Task SetPinsAsync_CallerCancelsInLine_ThrowsOperationCanceledAndIsNeverPublished()
    {
        var id = NewDevice();
        CommandOptions options = new() { Timeout = TimeSpan.FromSeconds(45) };
        var first = Devices.UpdateAsync(id, [1], options, Token);
        await Until(() => fixture.Mqtt.Device(id).Received.Count == 1);
        using CancellationTokenSource caller = new();
        var second = Devices.SetPinsAsync(id, [new(13, PinState.High)], options, caller.Token);
        await fixture.Calls.BegunAsync(id, nameof(IDeviceGrain.SetPinsAsync));
        var third = Devices.UpdateAsync(id, [3], options, Token);

        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Ends(second));

        // The caller has its exception at once, the silo hears of it by a message.
        await fixture.Calls.EndedAsync(id, nameof(IDeviceGrain.SetPinsAsync));

        // The third command shows that the line moved on past the second, and its answer ends it.
        fixture.Mqtt.Device(id).OnCommand = command => fixture.SendAsync(id, FakeDevice.Answer(command));
        await fixture.SendAsync(id, Of(Reading(1)));
        await Ends(first);
        await Ends(third);
        Assert.DoesNotContain(fixture.Mqtt.Device(id).Received, static command => command is SetPinsCommand);
    }

    [Fact]
    public async Task SetPinsAsync_CallerCancelsAfterThePublish_WithdrawsAndFreesTheLine()
    {
        var id = NewDevice();
        var device = fixture.Mqtt.Device(id);
        device.OnCommand = static command => Task.Delay(Timeout.Infinite, command.Withdrawn); // Ends when it is withdrawn.
        using CancellationTokenSource caller = new();
        var first = Devices.SetPinsAsync(id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(45) }, caller.Token);
        await Until(() => device.Received.Count == 1);

        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Ends(first));
        await Until(() => device.Received.TryPeek(out var command) && command.Withdrawn.IsCancellationRequested);

        device.OnCommand = command => fixture.SendAsync(id, FakeDevice.Answer(command));
        await Ends(Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Token));
    }

    [Fact]
    public async Task Command_LineFull_IsBusyWhileReadsAndWaitsPass()
    {
        var id = NewDevice();
        var device = fixture.Mqtt.Device(id);
        CommandOptions options = new() { Timeout = TimeSpan.FromSeconds(45), Confirm = false };
        TaskCompletionSource held = new();
        device.OnCommand = _ => held.Task;
        var calls = Enumerable.Range(0, 66).Select(i => Devices.UpdateAsync(id, [i], options, Token)).ToArray();

        // One runs and 64 wait; whichever arrives last finds the line full, since none of the others can end.
        var refused = await Task.WhenAny(calls).WaitAsync(TestClock.Bound, Token);
        var busy = await Assert.ThrowsAsync<DeviceBusyException>(() => refused);

        Assert.Equal(64, busy.Waiting);
        Assert.Empty((await Ends(Devices.GetSnapshotAsync(id, Token))).Pins);
        await fixture.SendAsync(id, Of(Reading(5, PinState.High)));
        await Ends(Devices.WaitForAsync(id, [new(5)], new() { IncludeCurrent = true }, Token));
        held.SetResult();
        await Task.WhenAll(calls.Except([refused])).WaitAsync(TestClock.Bound, Token);
        Assert.Equal(65, device.Received.Count);
    }

    [Fact]
    public async Task Command_PublishFails_CallerGetsTheTypedErrorOverTheClientBoundary()
    {
        var id = NewDevice();
        var device = fixture.Mqtt.Device(id);

        device.OnCommand = _ => throw new DeviceOfflineException(id);
        Assert.Equal(id, (await Assert.ThrowsAsync<DeviceOfflineException>(() => Ends(Devices.UpdateAsync(id, [], Patient, Token)))).DeviceId);

        device.OnCommand = _ => throw new BrokerUnavailableException(id, "quota", refused: true);
        Assert.True((await Assert.ThrowsAsync<BrokerUnavailableException>(() => Ends(Devices.UpdateAsync(id, [], Patient, Token)))).Refused);

        device.OnCommand = static _ => throw new ForeignException();
        Assert.True((await Assert.ThrowsAsync<DeviceInterruptedException>(() => Ends(Devices.UpdateAsync(id, [], Patient, Token)))).Published);
    }

    [Fact]
    public async Task Command_BadArgument_ThrowsOverTheClientBoundaryBeforePublishing()
    {
        var id = fixture.NewAnsweringDevice();

        await Assert.ThrowsAsync<ArgumentException>(() => Devices.SetPinsAsync(id, [new(13, PinState.High), new(13, PinState.Low)], Patient, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => Devices.UpdateAsync(id, [1], new() { Timeout = TimeSpan.Zero }, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => Devices.WaitForAsync(id, [new(1), new()], null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => Devices.WaitForAsync(id, [new(), new(1)], null, Token));

        Assert.Empty(fixture.Mqtt.Device(id).Received);
    }

    [Fact]
    public async Task EveryCall_GrainKeyIsNoDeviceId_ThrowsAndStoresNothing()
    {
        const string Key = "no/device";
        var grain = fixture.Cluster.Client.GetGrain<IDeviceGrain>(Key);

        await Assert.ThrowsAsync<ArgumentException>(() => grain.ConfigPinsAsync([new(1, PinMode.Output)], null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => grain.SetPinsAsync([new(1, PinState.High)], null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => grain.UpdateAsync([], null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => grain.WaitForAsync([new()], null, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => grain.GetSnapshotAsync(Token));

        Assert.Empty(fixture.Mqtt.Device(Key).Received);
        Assert.Equal(0, fixture.Storage.Of(Key).Writes);
    }

    [Fact]
    public async Task WaitForAsync_SeveralFilters_ReturnsWhatMatchedEach()
    {
        var id = NewDevice();
        var wait = Devices.WaitForAsync(id, [new(13, State: PinState.High), new(14)], null, Token);

        await SendUntil(wait, id, Of(Reading(14, PinState.Low)), Of(Reading(13, PinState.High)));

        Assert.Equal([13, 14], (await Ends(wait)).Select(pin => pin.Pin));
    }

    [Fact]
    public async Task WaitForAsync_NothingMatches_TimesOutNamingThePins()
    {
        var id = NewDevice();

        var timeout = await Assert.ThrowsAsync<DeviceTimeoutException>(
            () => Ends(Devices.WaitForAsync(id, [new(13), new(14)], new() { Timeout = TimeSpan.FromMilliseconds(200) }, Token)));

        Assert.Equal([13, 14], timeout.MissingPins);
    }

    [Fact]
    public async Task SetPinsAsync_ThousandCommandsToHundredDevices_AllConfirm()
    {
        var ids = Enumerable.Range(0, 100).Select(_ => fixture.NewAnsweringDevice()).ToArray();
        CommandOptions options = new() { Timeout = TimeSpan.FromSeconds(60) };
        ConcurrentBag<CommandResult> results = [];

        await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i => results.Add(await Devices.SetPinsAsync(
            ids[i % ids.Length], [new(i / ids.Length, i % 2 == 0 ? PinState.High : PinState.Low)], options, Token))));

        Assert.Equal(1000, results.Select(result => result.CommandId).Distinct().Count());
    }

    [Fact]
    public async Task State_IdsThatLookAlike_AreSeparateDevices()
    {
        string[] ids = ["0a", "a", "A", "00a", "0012", "12", "room-1:door.2"];
        for (var i = 0; i < ids.Length; i++)
        {
            await fixture.SendAsync(ids[i], Of(Reading(i, PinState.High)));
        }

        for (var i = 0; i < ids.Length; i++)
        {
            await UntilKnown(ids[i], i, PinState.High);
            Assert.Single((await Devices.GetSnapshotAsync(ids[i], Token)).Pins);
            Assert.Equal(1, fixture.Storage.Of(ids[i]).Writes);
        }
    }

    [Fact]
    public async Task Snapshot_DeviceNeverHeardOf_IsEmpty()
    {
        var snapshot = await Devices.GetSnapshotAsync(NewDevice(), Token);

        Assert.True(snapshot.Pins.IsEmpty);
        Assert.Null(snapshot.LastSeen);
    }

    private Task<ImmutableArray<PinUpdate>> UntilKnown(string id, int pin, PinState state) => Devices.WaitForAsync(
        id, [new(pin, State: state)], new() { IncludeCurrent = true, Timeout = TestClock.Bound }, Token);

    /// <summary>Sends the updates again and again until the wait is over: when it began, only the grain knows.</summary>
    private async Task SendUntil(Task task, string id, params DeviceUpdate[] updates)
    {
        while (!task.IsCompleted)
        {
            foreach (var update in updates)
            {
                await fixture.SendAsync(id, update);
            }

            await Task.WhenAny(task, Task.Delay(20, Token)); // Paces the repetition.
        }
    }

    internal static async Task Until(Func<bool> condition)
    {
        using CancellationTokenSource bound = new(TestClock.Bound);
        while (!condition())
        {
            await Task.Delay(5, bound.Token); // Polls; the bound fails the test.
        }
    }

    /// <summary>An exception that no caller could deserialize.</summary>
    private sealed class ForeignException : Exception;
}
