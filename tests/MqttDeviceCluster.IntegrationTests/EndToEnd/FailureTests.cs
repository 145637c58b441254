using System.Diagnostics;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>What a caller in another process gets when something is away: an error of its own type, filled, within a bound.</summary>
public sealed class FailureTests
{
    private static readonly DeviceBehavior Silent = DeviceBehavior.Default with { Silent = true };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Command_BrokerAway_FailsAsNotSentLongBeforeItsTimeout()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["a"] });
        await system.Broker.StopAsync();

        var watch = Stopwatch.StartNew();
        var away = await Assert.ThrowsAsync<BrokerUnavailableException>(() => SetAsync(system, "a", TimeSpan.FromMinutes(1)));

        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.Equal(("a", false), (away.DeviceId, away.Refused));
        Assert.NotEmpty(away.Reason);
        Assert.Contains(away.Reason, away.Message, StringComparison.Ordinal);
        await system.Silo.WaitForHealthAsync("/health/ready", body => body.Contains("\"degraded\"", StringComparison.Ordinal));

        await system.Broker.StartAsync();
        await system.Silo.WaitForHealthAsync("/health/ready", body => !body.Contains("degraded", StringComparison.Ordinal));
        await fleet.WaitUntilConnectedAsync(Cancelled);
        Assert.Equal(Evidence.Observed, (await SetAsync(system, "a", TimeSpan.FromSeconds(30))).Evidence);
    }

    [Fact]
    public async Task Command_LineFullOrOfflineOrLate_ErrorsArriveFilled()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["mute"], Behavior = Silent });

        var arrived = fleet["mute"].WaitForCommandAsync(null, Cancelled);
        var first = SetAsync(system, "mute", TimeSpan.FromSeconds(15));
        await arrived;
        var calls = Enumerable.Range(0, 65).Select(_ => SetAsync(system, "mute", TimeSpan.FromSeconds(5))).Prepend(first).ToList();
        var errors = await Task.WhenAll(calls.Select(call => Record.ExceptionAsync(() => call).AsTask()));
        var busy = Assert.Single(errors.OfType<DeviceBusyException>());
        Assert.Equal(("mute", 64), (busy.DeviceId, busy.Waiting));
        var late = errors.OfType<DeviceTimeoutException>().ToList();
        Assert.Equal(65, late.Count);
        Assert.All(late, error => Assert.Equal(("mute", 13), (error.DeviceId, Assert.Single(error.MissingPins))));
        Assert.All(late, error => Assert.InRange(error.Waited, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)));
        Assert.True(late[0].Published);
        Assert.DoesNotContain(late[1..], error => error.Published);
        Assert.Equal(1, fleet["mute"].CommandCount);

        var offline = await Assert.ThrowsAsync<DeviceOfflineException>(() => SetAsync(system, "nobody", TimeSpan.FromSeconds(30)));
        Assert.Equal("nobody", offline.DeviceId);
    }

    [Fact]
    public async Task Command_BrokerFrozenInTheMiddle_TimesOutAsUnknown()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["mute"], Behavior = Silent });
        await system.Cluster.SetPinsAsync("mute", [new(1, PinState.High)], new() { Confirm = false }, Cancelled);

        system.Broker.Suspend();
        try
        {
            var watch = Stopwatch.StartNew();
            var late = await Assert.ThrowsAsync<DeviceTimeoutException>(() => SetAsync(system, "mute", TimeSpan.FromSeconds(3)));
            Assert.True(late.Published);
            Assert.Equal([13], late.MissingPins);
            Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(15));
        }
        finally
        {
            system.Broker.Resume();
        }
    }

    [Fact]
    public async Task Command_BrokerKilledInTheMiddle_NeverSaysThatNothingHappened()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["mute"], Behavior = Silent });
        var arrived = fleet["mute"].WaitForCommandAsync(null, Cancelled);
        var command = SetAsync(system, "mute", TimeSpan.FromSeconds(4));
        await arrived;

        await system.Broker.KillAsync();

        Assert.True((await Assert.ThrowsAsync<DeviceTimeoutException>(() => command)).Published);
    }

    [Fact]
    public async Task Command_SiloAskedToStop_EndsAtOnceAndTheSiloWithZero()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["mute"], Behavior = Silent });
        var arrived = fleet["mute"].WaitForCommandAsync(null, Cancelled);
        var sent = SetAsync(system, "mute", TimeSpan.FromMinutes(10));
        await arrived;

        // Past the facade, which would wait for another silo for as long as its caller does.
        var inLine = system.Grain("mute").SetPinsAsync([new(13, PinState.High)], new() { Timeout = TimeSpan.FromMinutes(10) }, Cancelled);
        var wait = system.Cluster.WaitForAsync("mute", [new(1)], new() { Timeout = TimeSpan.FromMinutes(10) }, Cancelled);
        await system.Cluster.GetSnapshotAsync("mute", Cancelled);

        var watch = Stopwatch.StartNew();
        system.Silo.Terminate();

        var interrupted = await Assert.ThrowsAsync<DeviceInterruptedException>(() => sent);
        Assert.Equal(("mute", true), (interrupted.DeviceId, interrupted.Published));
        Assert.NotEmpty(interrupted.Reason);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => inLine)).Published);
        Assert.False((await Assert.ThrowsAsync<DeviceInterruptedException>(() => wait)).Published);
        Assert.Equal(0, await system.Silo.WaitForExitAsync());
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(45));
        Assert.Equal(1, fleet["mute"].CommandCount);
    }

    [Fact]
    public async Task Command_SiloKilledInTheMiddle_EndsWithinABound()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["mute"], Behavior = Silent });
        var arrived = fleet["mute"].WaitForCommandAsync(null, Cancelled);
        var watch = Stopwatch.StartNew();
        var sent = SetAsync(system, "mute", TimeSpan.FromSeconds(5));
        await arrived;

        await system.Silo.KillAsync();

        var error = await Record.ExceptionAsync(() => sent);
        Assert.True(error is DeviceTimeoutException { Published: true } or DeviceInterruptedException { Published: true }, $"{error}");
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));

        // The next one, with no silo at all.
        watch.Restart();
        error = await Record.ExceptionAsync(() => SetAsync(system, "mute", TimeSpan.FromSeconds(5)));
        Assert.NotNull(error);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        error = await Record.ExceptionAsync(() => system.Cluster.GetSnapshotAsync("mute", Cancelled));
        Assert.NotNull(error);
    }

    [Theory]
    [InlineData(16, false)]
    [InlineData(3, true)]
    [InlineData(0, true)]
    public async Task Answer_WithAnEchoThatIsNotThisCommands_ConfirmsOnlyWhenItIsNoIdAtAll(int length, bool confirms)
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["a"], Behavior = Silent });
        var arrived = fleet["a"].WaitForCommandAsync(null, Cancelled);
        var sent = SetAsync(system, "a", confirms ? TimeSpan.FromSeconds(30) : TimeSpan.FromSeconds(2));
        await arrived;

        await fleet["a"].SendRawAsync("[{\"pin\":13,\"mode\":3,\"state\":1}]"u8.ToArray(), correlationData: new byte[length]);

        if (confirms)
        {
            Assert.Equal(Evidence.Observed, (await sent).Evidence);
        }
        else
        {
            await Assert.ThrowsAsync<DeviceTimeoutException>(() => sent);
            Assert.Equal(PinState.High, (await system.Cluster.GetPinAsync("a", 13, Cancelled))?.State);
        }
    }

    private static Task<CommandResult> SetAsync(DeviceSystem system, string deviceId, TimeSpan timeout) =>
        system.Cluster.SetPinsAsync(deviceId, [new(13, PinState.High)], new() { Timeout = timeout }, Cancelled);
}
