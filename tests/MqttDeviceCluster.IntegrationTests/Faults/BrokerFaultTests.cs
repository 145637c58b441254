using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The broker dies or hangs under load.</summary>
[Collection(FaultsCollection.Name)]
public sealed class BrokerFaultTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Broker_KilledAndStarted_HealsAndTheServiceLosesNothing()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql);
        await run.Cluster.Broker.KillAsync();
        var killedAt = Stopwatch.GetTimestamp();
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        await run.Cluster.Broker.StartAsync();
        await run.WaitForServiceAsync();

        // New updates are served: what came before is as well, or it died with the broker.
        var balance = await run.FinishAsync(settleBound: TimeSpan.FromSeconds(10));
        output.WriteLine(balance.ToString());

        // What a mosquitto took since it last saved itself dies with it: that is between its devices and it. Everything else is there.
        balance.AssertPromises(brokerKilledAt: killedAt);
    }

    [Fact]
    public async Task Broker_Frozen_IsNoticedAndHealsWithoutALossAndOnlyWhatItHadInItsSocketActsLate()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql);
        run.Cluster.Broker.Suspend();
        var frozenAt = Stopwatch.GetTimestamp();
        foreach (var silo in run.Cluster.Running)
        {
            await silo.WaitForHealthAsync("/health/ready", static body => body.Contains("\"broker\":{\"status\":\"degraded\"", StringComparison.Ordinal), FaultScale.Outage);
        }

        var noticed = Stopwatch.GetElapsedTime(frozenAt);
        output.WriteLine($"noticed by all silos after {noticed.TotalSeconds:0.0} s, with a keep-alive of {FaultCluster.KeepAlive.TotalSeconds} s");
        Assert.True(noticed < 1.5 * FaultCluster.KeepAlive + TimeSpan.FromSeconds(2), $"noticed after {noticed}");
        await Task.Delay(FaultScale.Outage - noticed, TestContext.Current.CancellationToken);
        run.Cluster.Broker.Resume();
        await run.WaitForServiceAsync();

        var balance = await run.FinishAsync();
        output.WriteLine(balance.ToString());
        balance.AssertPromises(brokersFrozenAt: frozenAt);
    }
}
