using System.Diagnostics;
using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// Faults of every kind, one after the other, in an order and at moments that a seed decides. infra/chaos.sh runs it for as long as asked: MDC_CHAOS_SECONDS and MDC_CHAOS_SEED.
/// </summary>
[Collection(FaultsCollection.Name)]
public sealed class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Cluster_FaultsOfEveryKind_KeepsItsPromises()
    {
        var seed = Setting("MDC_CHAOS_SEED", 5);
        TimeSpan duration = TimeSpan.FromSeconds(Setting("MDC_CHAOS_SECONDS", 16));
        var store = Environment.GetEnvironmentVariable("MDC_CHAOS_STORE") is { Length: > 0 } name ? Enum.Parse<FaultStore>(name, ignoreCase: true) : FaultStore.PostgreSql;
        Random random = new(seed);
        output.WriteLine($"seed {seed}, {duration.TotalSeconds} s, {store}");
        await using var run = await FaultRun.StartAsync(store);
        List<long> frozenAt = [];
        (string Name, Func<FaultRun, Random, Task> Strike)[] faults =
        [
            ("a silo is killed", KillSiloAsync),
            ("a silo is stopped", StopSiloAsync),
            ("a silo is killed while it stops", KillStoppingSiloAsync),
            ("two silos are killed, seconds apart", KillTwoSilosAsync),
            ("a silo is frozen for a moment", FreezeSiloShortlyAsync),
            ("a silo is frozen until the others gave it up", FreezeSiloAsync),
            ("the broker is frozen", (run, random) =>
            {
                frozenAt.Add(Stopwatch.GetTimestamp());
                return FreezeBrokerAsync(run, random);
            }),
            ("the broker is stopped and started", RestartBrokerAsync),
            ("the store is stopped and started", RestartStoreAsync),
        ];

        var started = Stopwatch.StartNew();
        for (var round = 1; started.Elapsed < duration; round++)
        {
            var (what, strike) = faults[random.Next(faults.Length)];
            var at = started.Elapsed;
            await strike(run, random);
            await run.WaitForServiceAsync();
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{at.TotalSeconds,7:0.0} s  {round,3}. {what}: served again after {(started.Elapsed - at).TotalSeconds:0.0} s"));
            await Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * 3), TestContext.Current.CancellationToken);
        }

        var balance = await run.FinishAsync();
        output.WriteLine(balance.ToString());
        balance.AssertPromises(brokersFrozenAt: frozenAt);
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static async Task KillSiloAsync(FaultRun run, Random random)
    {
        var silo = run.Cluster.Running[random.Next(run.Cluster.Running.Count)];
        await silo.KillAsync();
        await run.Cluster.ReplaceAsync(silo);
    }

    private static async Task StopSiloAsync(FaultRun run, Random random)
    {
        var silo = run.Cluster.Running[random.Next(run.Cluster.Running.Count)];
        silo.Terminate();
        await silo.WaitForExitAsync();
        await run.Cluster.ReplaceAsync(silo);
    }

    // Anywhere in its stop, which takes some seconds, or right after it.
    private static async Task KillStoppingSiloAsync(FaultRun run, Random random)
    {
        var silo = run.Cluster.Running[random.Next(run.Cluster.Running.Count)];
        silo.Terminate();
        await Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * 4), TestContext.Current.CancellationToken);
        await silo.KillAsync();
        await run.Cluster.ReplaceAsync(silo);
    }

    // The second one while the first is not known to be dead, or has just been declared dead: the last one is alone with what both had.
    private static async Task KillTwoSilosAsync(FaultRun run, Random random)
    {
        var victims = run.Cluster.Running.OrderBy(_ => random.Next()).Take(2).ToList();
        await victims[0].KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * 12), TestContext.Current.CancellationToken);
        await victims[1].KillAsync();
        foreach (var victim in victims)
        {
            await run.Cluster.ReplaceAsync(victim);
        }
    }

    // Too short for the others to notice: it goes on where it was.
    private static async Task FreezeSiloShortlyAsync(FaultRun run, Random random)
    {
        var silo = run.Cluster.Running[random.Next(run.Cluster.Running.Count)];
        silo.Signal("STOP");
        await Task.Delay(TimeSpan.FromSeconds(1 + random.NextDouble()), TestContext.Current.CancellationToken);
        silo.Signal("CONT");
    }

    private static async Task FreezeSiloAsync(FaultRun run, Random random)
    {
        var silo = run.Cluster.Running[random.Next(run.Cluster.Running.Count)];
        silo.Signal("STOP");
        await Task.Delay(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        silo.Signal("CONT");
        await silo.WaitForExitAsync();
        await run.Cluster.ReplaceAsync(silo);
    }

    private static async Task FreezeBrokerAsync(FaultRun run, Random random)
    {
        run.Cluster.Broker.Suspend();
        await Task.Delay(TimeSpan.FromSeconds(1 + (random.NextDouble() * 10)), TestContext.Current.CancellationToken);
        run.Cluster.Broker.Resume();
    }

    // Stopped, not killed: a mosquitto that is killed loses what it took since it last saved itself, which is not for the service to mend.
    private static async Task RestartBrokerAsync(FaultRun run, Random random)
    {
        await run.Cluster.Broker.StopAsync();
        await Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * 5), TestContext.Current.CancellationToken);
        await run.Cluster.Broker.StartAsync();
    }

    private static async Task RestartStoreAsync(FaultRun run, Random random)
    {
        var outage = TimeSpan.FromSeconds(1 + (random.NextDouble() * 9));
        if (run.Cluster.PostgreSql is { } postgreSql)
        {
            await postgreSql.StopAsync();
            await Task.Delay(outage, TestContext.Current.CancellationToken);
            await postgreSql.StartAsync();
        }
        else
        {
            await run.Cluster.Redis!.StopAsync();
            await Task.Delay(outage, TestContext.Current.CancellationToken);
            await run.Cluster.Redis.StartAsync();
        }
    }
}
