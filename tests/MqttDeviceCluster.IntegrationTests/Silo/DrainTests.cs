using System.Net;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Silo;

/// <summary>A silo that is asked to stop: readiness goes first, then what is under way ends, then the process.</summary>
public sealed class DrainTests
{
    private const string DeviceId = "d1";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_WhileItIsNotReadyAnyMore_ServesAsBefore()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--Shutdown:DrainDelay=00:00:04"] });
        await using var fleet = await StartDeviceAsync(silo, TimeSpan.Zero);
        using var client = await SiloClient.ConnectAsync(silo);
        await client.Cluster.SetPinsAsync(DeviceId, [new(13, PinState.High)], cancellationToken: Token);

        silo.Terminate();
        await Until.TrueAsync(async () => await ReadinessAsync(silo) == HttpStatusCode.ServiceUnavailable, "the silo to be not ready");
        var result = await client.Cluster.SetPinsAsync(DeviceId, [new(13, PinState.Low)], cancellationToken: Token);
        Assert.Equal(Evidence.Observed, result.Evidence);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReadinessAsync(silo));

        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.Equal("", silo.Error);
    }

    [Fact]
    public async Task Stop_CommandUnderWay_IsConfirmed()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var fleet = await StartDeviceAsync(silo, TimeSpan.FromSeconds(1));
        using var client = await SiloClient.ConnectAsync(silo);
        TaskCompletionSource received = new(TaskCreationOptions.RunContinuationsAsynchronously);
        fleet.CommandReceived += (_, _) => received.TrySetResult();

        var command = client.Cluster.SetPinsAsync(DeviceId, [new(13, PinState.High)], cancellationToken: Token);
        await received.Task.WaitAsync(SiloProcess.DefaultBound, Token);
        silo.Terminate();

        Assert.Equal(Evidence.Observed, (await command).Evidence);
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.Equal("", silo.Error);
    }

    private static async Task<SimulatedFleet> StartDeviceAsync(SiloProcess silo, TimeSpan delay)
    {
        SimulatedFleet fleet = new(new() { Broker = silo.Broker, Ids = [DeviceId], Behavior = DeviceBehavior.Default with { InitialPins = [], Delay = delay } });
        await fleet.StartAsync(Token);
        return fleet;
    }

    private static async Task<HttpStatusCode> ReadinessAsync(SiloProcess silo)
    {
        using var response = await silo.Http.GetAsync(new Uri("/health/ready", UriKind.Relative), Token);
        return response.StatusCode;
    }
}
