using System.Collections.Concurrent;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What an operator reads while all is well: nothing, however much the devices have to say.</summary>
[Collection(AloneCollection.Name)]
public sealed class QuietLogTests
{
    private const int Devices = 2_000;
    private const int Commands = 300;
    private const int Updates = 5_000;

    [Fact]
    public async Task ManyDevicesChat_SiloIsHealthy_WritesHardlyALineAndNoWarning()
    {
        var (said, failures) = await ChatAsync();
        for (var again = 0; again < 2 && WasPaused(said); again++)
        {
            // The machine held the process up, or its broker, and it says so, as it should: that silo was not healthy.
            (said, failures) = await ChatAsync();
        }

        Assert.Empty(failures);
        Assert.True(said.Length < 4, $"{said.Length} lines:\n{string.Join('\n', said.Take(20))}");
        Assert.All(said, static line => Assert.Contains(" info ", line, StringComparison.Ordinal));
    }

    private static bool WasPaused(string[] said) => said.Any(static line =>
        line.Contains(" warn PauseFence: The silo did not run for ", StringComparison.Ordinal)
        || line.Contains(" warn LocalSiloHealthMonitor: .NET Thread Pool execution stalled ", StringComparison.Ordinal)
        || (line.Contains(" warn mqtt: The broker ", StringComparison.Ordinal) && line.Contains(" has not answered for ", StringComparison.Ordinal)));

    private static async Task<(string[] Said, IReadOnlyCollection<Exception> Failures)> ChatAsync()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var silo = await SiloProcess.StartAsync(new() { Broker = broker.ConnectionString });
        await silo.WaitForOutputAsync("command topics");
        using var client = await SiloClient.ConnectAsync(silo);
        var cluster = client.Cluster;
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

        ConcurrentQueue<Exception> failures = new();
        ParallelOptions twenty = new() { MaxDegreeOfParallelism = 20, CancellationToken = TestContext.Current.CancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, Commands), twenty, async (i, cancelled) =>
        {
            if (await Record.ExceptionAsync(
                () => cluster.SetPinsAsync(fleet.Devices[i].Id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30) }, cancelled)) is { } failure)
            {
                failures.Enqueue(failure);
            }
        });
        await Until.TrueAsync(() => Volatile.Read(ref updates) > Updates, "thousands of updates to be stored and told");
        Assert.Equal("", silo.Error);
        return (Lines()[before..], failures);

        string[] Lines() => silo.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }
}
