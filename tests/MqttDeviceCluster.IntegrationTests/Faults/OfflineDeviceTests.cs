using MqttDeviceCluster.IntegrationTests.EndToEnd;
using MqttDeviceCluster.IntegrationTests.Fleet;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// A device that is away, and whose session waits for it at the broker with all its commands: those that nobody waits for any more must never reach it. It is
/// the relay of a door.
/// </summary>
public sealed class OfflineDeviceTests
{
    // A broker counts in whole seconds. Only time makes a message expire there, so only time can be waited for.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(2);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Command_TimedOutWhileTheDeviceWasAway_DoesNotAct()
    {
        await using var system = await DeviceSystem.StartAsync();
        string[] ids = ["one", "two", "three"];
        foreach (var id in ids)
        {
            await using var first = await PersistentDevice.ConnectAsync(system.Broker, id);
            Assert.False(first.SessionPresent);
        }

        var errors = await Task.WhenAll(ids.Select((id, i) => Record.ExceptionAsync(
            () => SetAsync(system, id, pin: 1, TimeSpan.FromSeconds(i + 1))).AsTask()));

        Assert.All(errors, error =>
        {
            // Not a success, and not "nothing happened": the broker had taken it.
            var late = Assert.IsType<DeviceTimeoutException>(error);
            Assert.True(late.Published);
            Assert.Equal([1], late.MissingPins);
        });
        await Task.Delay(Slack, Cancelled);
        foreach (var id in ids)
        {
            await AssertOnlyANewCommandActsAsync(system, id);
        }
    }

    [Fact]
    public async Task Command_WhoseCallerCancelledWhileTheDeviceWasAway_DoesNotAct()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using (await PersistentDevice.ConnectAsync(system.Broker, "a"))
        {
        }

        using var monitor = await MonitorAsync(system);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var timeout = TimeSpan.FromSeconds(3);
        var command = system.Cluster.SetPinsAsync("a", [new(1, PinState.High)], new() { Timeout = timeout }, giveUp.Token);
        await monitor.WaitForAsync("device/a/pin/set");

        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => command);

        await Task.Delay(timeout + Slack, Cancelled);
        await AssertOnlyANewCommandActsAsync(system, "a");
    }

    [Fact]
    public async Task Command_WhoseSiloWasKilledWhileTheDeviceWasAway_DoesNotAct()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using (await PersistentDevice.ConnectAsync(system.Broker, "a"))
        {
        }

        using var monitor = await MonitorAsync(system);
        var timeout = TimeSpan.FromSeconds(3);
        var command = SetAsync(system, "a", pin: 1, timeout);
        await monitor.WaitForAsync("device/a/pin/set");

        await system.Silo.KillAsync();
        var error = await Record.ExceptionAsync(() => command);
        Assert.True(error is DeviceTimeoutException { Published: true } or DeviceInterruptedException { Published: true }, $"{error}");
        await system.StartSiloAsync();

        await Task.Delay(timeout + Slack, Cancelled);
        await AssertOnlyANewCommandActsAsync(system, "a");
    }

    [Fact]
    public async Task Command_DeviceBackInTime_Acts()
    {
        // What the others prove would be worth nothing on a broker that queues nothing.
        await using var system = await DeviceSystem.StartAsync();
        await using (await PersistentDevice.ConnectAsync(system.Broker, "a"))
        {
        }

        using var monitor = await MonitorAsync(system);
        var command = SetAsync(system, "a", pin: 1, TimeSpan.FromSeconds(30));
        await monitor.WaitForAsync("device/a/pin/set");
        await using var device = await PersistentDevice.ConnectAsync(system.Broker, "a");

        Assert.Equal(Evidence.Observed, (await command).Evidence);
        Assert.True(device.SessionPresent);
        Assert.Equal(["""[{"pin":1,"state":1}]"""], device.Commands);
    }

    // A session hands its messages out in their order: what the new command does not follow does not come any more.
    private static async Task AssertOnlyANewCommandActsAsync(DeviceSystem system, string id)
    {
        await using var device = await PersistentDevice.ConnectAsync(system.Broker, id);
        Assert.True(device.SessionPresent, "The broker forgot the session: nothing could have waited there.");

        Assert.Equal(Evidence.Observed, (await SetAsync(system, id, pin: 2, TimeSpan.FromSeconds(30))).Evidence);

        Assert.Equal(["""[{"pin":2,"state":1}]"""], device.Commands);
    }

    private static async Task<RawClient> MonitorAsync(DeviceSystem system)
    {
        var monitor = await RawClient.ConnectAsync(system.Broker);
        await monitor.SubscribeAsync("device/+/pin/set");
        return monitor;
    }

    private static Task<CommandResult> SetAsync(DeviceSystem system, string id, int pin, TimeSpan timeout) =>
        system.Cluster.SetPinsAsync(id, [new(pin, PinState.High)], new() { Timeout = timeout }, Cancelled);
}
