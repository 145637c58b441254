using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>Devices that publish their updates retained: what they say now is an answer, what the broker had kept of it is not.</summary>
public sealed class RetainedUpdateTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Command_ToADeviceThatRetainsItsUpdates_Confirms()
    {
        await using var system = await DeviceSystem.StartAsync();
        await using var fleet = await system.StartFleetAsync(
            new() { Ids = ["keeper"], Behavior = DeviceBehavior.Default with { RetainUpdates = true } });

        var result = await system.Cluster.SetPinsAsync("keeper", [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(20) }, Cancelled);

        Assert.Equal([(13, PinState.High)], result.Updates.Select(update => (update.Pin, update.State!.Value)));
        Assert.NotNull((await system.Cluster.GetSnapshotAsync("keeper", Cancelled)).LastSeen);
    }

    [Fact]
    public async Task Update_ThatTheBrokerHadKept_IsKnownButNoSignOfLife()
    {
        var broker = await MosquittoBroker.StartAsync();
        await using (var fleet = new SimulatedFleet(new() { Broker = new Uri(broker.ConnectionString), Ids = ["keeper"] }))
        {
            await fleet.StartAsync(Cancelled);
            await fleet["keeper"].SendRawAsync("[{\"pin\":13,\"mode\":3,\"state\":1}]"u8.ToArray(), retain: true);
        }

        await using var system = await DeviceSystem.StartAsync(broker);

        // No call tells when a retained message was taken in: it ends no wait.
        var known = await system.Cluster.GetSnapshotAsync("keeper", Cancelled);
        for (var i = 0; known.Pins.IsEmpty && i < 200; i++)
        {
            await Task.Delay(50, Cancelled);
            known = await system.Cluster.GetSnapshotAsync("keeper", Cancelled);
        }

        Assert.Equal([(13, PinState.High)], known.Pins.Select(pin => (pin.Pin, pin.State!.Value)));
        Assert.Null(known.LastSeen);
    }
}
