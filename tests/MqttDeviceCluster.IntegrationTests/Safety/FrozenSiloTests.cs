using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.EndToEnd;
using MqttDeviceCluster.IntegrationTests.Fleet;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Safety;

/// <summary>A silo that was stopped for a while does not go on with what it took before.</summary>
public sealed class FrozenSiloTests(ITestOutputHelper output)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silo_FrozenWhileACommandWaitsInLine_NeverSendsItAndGoesOn()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(new() { Ids = ["mute"], Behavior = DeviceBehavior.Default with { Silent = true } });
        using var witness = await RawClient.ConnectAsync(system.Broker);
        await witness.SubscribeAsync("device/mute/pin/set");
        CommandOptions patient = new() { Timeout = TimeSpan.FromMinutes(2) };
        var first = system.Cluster.SetPinsAsync("mute", [new(13, PinState.High)], patient, Cancelled);
        await witness.WaitForAsync("device/mute/pin/set");

        // Past the facade, which goes on trying for as long as its caller waits.
        var second = system.Grain("mute").SetPinsAsync([new(14, PinState.High)], patient, Cancelled);

        // The calls of one client to one grain arrive in their order: with this one the second is in line.
        await system.Cluster.GetSnapshotAsync("mute", Cancelled);

        system.Silo.Signal("STOP");
        await Task.Delay(TimeSpan.FromSeconds(6), Cancelled);
        var resumed = Stopwatch.StartNew();
        system.Silo.Signal("CONT");

        var interrupted = await Assert.ThrowsAsync<DeviceInterruptedException>(() => second.WaitAsync(TimeSpan.FromSeconds(20), Cancelled));
        output.WriteLine($"{resumed.ElapsedMilliseconds} ms after the pause: {interrupted.Message}");
        Assert.False(interrupted.Published);
        Assert.Contains("did not run for", interrupted.Reason, StringComparison.Ordinal);

        // What was sent before the pause still counts, and its answer arrives.
        await witness.PublishAsync("device/mute/pin/update", """[{"pin":13,"mode":3,"state":1}]""");
        Assert.Equal(Evidence.Observed, (await first.WaitAsync(TimeSpan.FromSeconds(30), Cancelled)).Evidence);
        output.WriteLine($"{resumed.ElapsedMilliseconds} ms after the pause: the first command is confirmed");

        await SendUntilTakenAsync(system);
        output.WriteLine($"{resumed.ElapsedMilliseconds} ms after the pause: a third command is sent");
        await witness.WaitForAsync("device/mute/pin/set", static payload => payload.Contains("\"pin\":15", StringComparison.Ordinal));
        Assert.DoesNotContain(witness.Received, static message => message.Payload.Contains("\"pin\":14", StringComparison.Ordinal));
        Assert.Contains("still part of its cluster", system.Silo.Output, StringComparison.Ordinal);
    }

    private static async Task SendUntilTakenAsync(DeviceSystem system)
    {
        var bound = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await system.Cluster.SetPinsAsync("mute", [new(15, PinState.High)], new() { Confirm = false }, Cancelled);
                return;
            }
            catch (DeviceInterruptedException exception) when (!exception.Published && bound.Elapsed < TimeSpan.FromSeconds(20))
            {
                // The silo has not read yet that it may go on.
                await Task.Delay(50, Cancelled);
            }
        }
    }
}
