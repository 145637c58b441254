using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What an operator reads while all is well: nothing, however much the devices have to say.</summary>
public sealed class QuietLogTests
{
    private const int Devices = 2_000;
    private const int Commands = 300;
    private const int Updates = 5_000;

    [Fact]
    public async Task ManyDevicesChat_SiloIsHealthy_WritesHardlyALineAndNoWarning()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var silo = await SiloProcess.StartAsync(new() { Broker = broker.ConnectionString });
        await silo.WaitForOutputAsync("command topics");
        using var host = await ConnectAsync(silo);
        var cluster = host.Services.GetRequiredService<IDeviceCluster>();
        var before = Lines().Length;
        var updates = 0;
        await using var subscription = cluster.OnUpdate(new PinFilter(Pin: 13), (_, _) =>
        {
            Interlocked.Increment(ref updates);
            return Task.CompletedTask;
        });
        await subscription.Started;
        await using SimulatedFleet fleet = new(new()
        {
            Broker = new Uri(broker.ConnectionString),
            Count = Devices,
            ReportInterval = TimeSpan.FromSeconds(2),
            Behavior = DeviceBehavior.Default with { Status = StatusStyle.Json },
        });
        await fleet.StartAsync(TestContext.Current.CancellationToken);

        ParallelOptions twenty = new() { MaxDegreeOfParallelism = 20, CancellationToken = TestContext.Current.CancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, Commands), twenty, async (i, cancelled) =>
        {
            var result = await cluster.SetPinsAsync(fleet.Devices[i % Devices].Id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30) }, cancelled);
            Assert.Equal(Evidence.Observed, result.Evidence);
        });
        await Until.TrueAsync(() => Volatile.Read(ref updates) > Updates, "thousands of updates to be stored and told");
        Assert.Equal(Devices, await cluster.ListDevicesAsync(cancellationToken: TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken));

        var said = Lines()[before..];
        Assert.True(said.Length < 4, string.Join('\n', said));
        Assert.All(said, static line => Assert.Contains(" info ", line, StringComparison.Ordinal));
        Assert.Equal("", silo.Error);

        string[] Lines() => silo.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    private static async Task<IHost> ConnectAsync(SiloProcess silo)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client => client.UseLocalhostClustering(silo.GatewayPort));
        builder.Services.AddDeviceCluster();
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }
}
