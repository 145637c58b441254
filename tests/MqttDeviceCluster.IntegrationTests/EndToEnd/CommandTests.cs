using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>What callers are promised, over a real broker and between real processes.</summary>
public sealed class CommandTests
{
    private static readonly CommandOptions Patient = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Commands_ToABaseProfileDevice_ConfirmAndSurviveAKilledSilo()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["544B3B144B8C"] });

        var configured = await system.Cluster.ConfigPinsAsync(
            "544B3B144B8C", [new(13, PinMode.Output, PinState.High), new(14, PinMode.Output, PinState.Low)], Patient, Cancelled);
        var set = await system.Cluster.SetPinsAsync("544B3B144B8C", [new(13, PinState.Low), new(14, PinState.High)], Patient, Cancelled);
        var asked = await system.Cluster.UpdateAsync("544B3B144B8C", [14, 13], Patient, Cancelled);

        Assert.Equal(Evidence.Observed, configured.Evidence);
        Assert.Equal([(13, PinMode.Output), (14, PinMode.Output)], configured.Updates.Select(update => (update.Pin, update.Mode!.Value)));
        Assert.Equal([(13, PinState.Low), (14, PinState.High)], set.Updates.Select(update => (update.Pin, update.State!.Value)));
        Assert.Equal([14, 13], asked.Updates.Select(update => update.Pin));

        await system.Silo.KillAsync();
        await system.StartSiloAsync();

        // What was confirmed and not stored yet is with the broker, and comes again.
        await system.Cluster.WaitForAsync(
            "544B3B144B8C", [new(Pin: 13, State: PinState.Low), new(Pin: 14, State: PinState.High)], new() { IncludeCurrent = true }, Cancelled);
        var snapshot = await system.Cluster.GetSnapshotAsync("544B3B144B8C", Cancelled);

        Assert.Equal([(13, PinState.Low), (14, PinState.High)], snapshot.Pins.Select(pin => (pin.Pin, pin.State!.Value)));
        Assert.NotNull(snapshot.LastSeen);
        Assert.Equal(PinState.High, (await system.Cluster.GetPinAsync("544B3B144B8C", 14, Cancelled))?.State);
        Assert.Null(await system.Cluster.GetPinAsync("544B3B144B8C", 99, Cancelled));
    }

    [Fact]
    public async Task Wait_ForAStateThatTheDeviceReportsByItself_Ends()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["0a"] });
        await system.Cluster.SetPinsAsync("0a", [new(13, PinState.Low)], Patient, Cancelled);

        var wait = system.Cluster.WaitForAsync("0a", [new(Pin: 13, State: PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30) }, Cancelled);

        // The wait is known to stand once a later call of the same client was answered by the same grain.
        await system.Cluster.GetSnapshotAsync("0a", Cancelled);
        fleet["0a"].ChangePin(13, 1);

        var update = Assert.Single(await wait);
        Assert.Equal((13, PinState.High), (update.Pin, update.State));
    }

    [Fact]
    public async Task Commands_AThousandToAHundredDevicesAtOnce_AllConfirm()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Count = 100, Connections = 10 });

        var results = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => system.Cluster.SetPinsAsync(
            fleet.Devices[i % 100].Id, [new(13, (PinState)(i / 100 % 2))], Patient, Cancelled)));

        Assert.All(results, result => Assert.Equal(Evidence.Observed, result.Evidence));
        Assert.All(fleet.Devices, device => Assert.Equal(10, device.CommandCount));
    }

    [Fact]
    public async Task Commands_OfTwoCallersToOneDevice_TakeTurns()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(
            new() { Ids = ["slow"], Behavior = DeviceBehavior.Default with { Delay = TimeSpan.FromMilliseconds(300), Echo = true } });
        var device = fleet["slow"];

        await Task.WhenAll(
            system.Cluster.SetPinsAsync("slow", [new(13, PinState.High)], Patient, Cancelled),
            system.Cluster.SetPinsAsync("slow", [new(14, PinState.High)], Patient, Cancelled));

        // The device answers after 300 ms, and only then may the second command be sent: its clock starts when it receives one.
        var commands = device.Commands;
        Assert.Equal(2, commands.Length);
        Assert.True(commands[1].ReceivedAt - commands[0].ReceivedAt >= TimeSpan.FromMilliseconds(290), "The second was sent before the first was answered.");
    }

    [Fact]
    public async Task Command_WhoseCallerGaveUpInLine_NeverReachesTheDevice()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(
            new() { Ids = ["mute"], Behavior = DeviceBehavior.Default with { Silent = true } });
        var device = fleet["mute"];
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);

        var arrived = device.WaitForCommandAsync(null, Cancelled);
        var first = system.Cluster.SetPinsAsync("mute", [new(1, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(3) }, Cancelled);
        await arrived;
        var cancelled = system.Cluster.SetPinsAsync("mute", [new(2, PinState.High)], Patient, giveUp.Token);
        var late = system.Cluster.SetPinsAsync("mute", [new(3, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(1) }, Cancelled);
        var inLine = await Assert.ThrowsAsync<DeviceTimeoutException>(() => late);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        var unconfirmed = await Assert.ThrowsAsync<DeviceTimeoutException>(() => first);
        arrived = device.WaitForCommandAsync(command => command.Pins.Any(pin => pin.Pin == 4), Cancelled);
        await system.Cluster.SetPinsAsync("mute", [new(4, PinState.High)], new() { Confirm = false }, Cancelled);
        await arrived;

        Assert.True(unconfirmed.Published);
        Assert.Equal([1], unconfirmed.MissingPins);
        Assert.False(inLine.Published);
        Assert.Equal([1, 4], device.Commands.Select(command => Assert.Single(command.Pins).Pin));
    }

    [Fact]
    public async Task Command_ToADeviceThatIsNotThere_FailsAtOnceAsOffline()
    {
        await using var system = await DeviceSystem.StartAsync();

        await Assert.ThrowsAsync<DeviceOfflineException>(() => system.Cluster.SetPinsAsync("nobody", [new(1, PinState.High)], Patient, Cancelled));
    }

    [Fact]
    public async Task Ids_ThatDifferOnlyInCaseOrZeros_AreDifferentDevicesInMemoryAndInTheStore()
    {
        string[] ids = ["0a", "a", "A", "00a", "0012", "12"];
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = [.. ids] });

        for (var i = 0; i < ids.Length; i++)
        {
            await system.Cluster.SetPinsAsync(ids[i], [new(100 + i, PinState.High)], Patient, Cancelled);
        }

        await AssertEachHasItsOwnPinAsync();
        await system.Silo.KillAsync();
        await system.StartSiloAsync();
        for (var i = 0; i < ids.Length; i++)
        {
            await system.Cluster.WaitForAsync(ids[i], [new(Pin: 100 + i, State: PinState.High)], new() { IncludeCurrent = true }, Cancelled);
        }

        await AssertEachHasItsOwnPinAsync();

        async Task AssertEachHasItsOwnPinAsync()
        {
            for (var i = 0; i < ids.Length; i++)
            {
                var pins = (await system.Cluster.GetSnapshotAsync(ids[i], Cancelled)).Pins.Where(pin => pin.Pin >= 100);
                Assert.Equal([100 + i], pins.Select(pin => pin.Pin));
            }
        }
    }

    [Fact]
    public async Task Ids_BeyondLettersAndDigits_AreDevicesLikeOthersInMemoryAndInTheStore()
    {
        string[] ids = ["a.b.c", "a b", " a ", "Tür ☃ 🚪", "$SYS", "a'b\"c", "..", "%2F"];
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = [.. ids] });

        foreach (var id in ids)
        {
            Assert.Equal(Evidence.Observed, (await system.Cluster.SetPinsAsync(id, [new(100, PinState.High)], Patient, Cancelled)).Evidence);
        }

        await system.Silo.KillAsync();
        await system.StartSiloAsync();
        foreach (var id in ids)
        {
            await system.Cluster.WaitForAsync(id, [new(Pin: 100, State: PinState.High)], new() { IncludeCurrent = true }, Cancelled);
        }
    }

    [Fact]
    public async Task Command_LargerThanTheBrokerTakes_IsRefusedAtOnce()
    {
        await using var system = await DeviceSystem.StartAsync(await MosquittoBroker.StartAsync("max_packet_size 1000"));
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["a"] });

        var refused = await Assert.ThrowsAsync<BrokerUnavailableException>(
            () => system.Cluster.SetPinsAsync("a", [.. Enumerable.Range(0, 256).Select(pin => new SetPin(pin, PinState.High))], Patient, Cancelled));

        Assert.True(refused.Refused);
        Assert.Equal("it is larger than the 1000 bytes that the broker takes", refused.Reason);
        Assert.Equal(Evidence.Observed, (await system.Cluster.SetPinsAsync("a", [new(1, PinState.High)], Patient, Cancelled)).Evidence);
    }

    [Fact]
    public async Task Command_BadInput_ThrowsArgumentExceptionToAnotherProcess()
    {
        await using var system = await DeviceSystem.StartAsync();

        foreach (var id in (string[])["", " ", "a/b", "a+", "#", "a\0", "a\n", new('x', 129)])
        {
            await Assert.ThrowsAsync<ArgumentException>(() => system.Cluster.SetPinsAsync(id, [new(1, PinState.High)], null, Cancelled));
        }

        SetPin[][] bad =
        [
            [], [new(1, PinState.High), new(1, PinState.Low)], [new(-1, PinState.High)], [new(1, (PinState)2)],
            [new(1, PinState.High, TimeSpan.Zero)], [new(1, PinState.High, TimeSpan.FromDays(2))], [.. Enumerable.Range(0, 257).Select(i => new SetPin(i, PinState.High))],
        ];
        foreach (var pins in bad)
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(() => system.Cluster.SetPinsAsync("a", [.. pins], null, Cancelled));
        }

        await Assert.ThrowsAnyAsync<ArgumentException>(
            () => system.Cluster.SetPinsAsync("a", [new(1, PinState.High)], new() { Timeout = TimeSpan.Zero }, Cancelled));
    }
}
