using Xunit.Sdk;
namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Silos die, stop, hang and are cut off, under load; the others go on.</summary>
[Collection(FaultsCollection.Name)]
public sealed class SiloFaultTests(ITestOutputHelper output)
{
    /// <summary>What a silo says, and counts, when another one was declared dead without having left.</summary>
    private const string Lost = "was lost: it did not leave";

    /// <summary>A silo that is gone is noticed at once when another takes its place, and else by its silence.</summary>
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(20);

    /// <summary>On a busy machine: noticing takes 15 to 18 s on one that is not.</summary>
    private static readonly TimeSpan LongestGapOfSilence = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Silos_KilledOneAfterTheOther_LoseNothingAndNobodyWaitsLong()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql);
        Random random = new(Seed: 4);
        for (var kill = 0; kill < FaultScale.Kills; kill++)
        {
            var victim = run.Cluster.Running[random.Next(run.Cluster.Running.Count)];
            await victim.KillAsync();
            await run.Cluster.ReplaceAsync(victim);
            await run.WaitForServiceAsync();
        }

        Assert.Contains(run.Cluster.Running, static silo => silo.Output.Contains(Lost, StringComparison.Ordinal));
        await FinishAsync(run, LongestGap);
    }

    [Fact]
    public async Task Silos_StoppedAndReplacedInTurn_RefuseAtMostAHandfulOfCommands()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql);
        foreach (var silo in run.Cluster.Running.ToList())
        {
            silo.Terminate();
            Assert.Equal(0, await silo.WaitForExitAsync());
            Assert.Equal("", silo.Error);
            Assert.DoesNotContain(Lost, silo.Output, StringComparison.Ordinal);
            await run.Cluster.ReplaceAsync(silo);
            await run.WaitForServiceAsync();
        }

        Assert.DoesNotContain(run.Cluster.Running, static silo => silo.Output.Contains(Lost, StringComparison.Ordinal));
        var balance = await FinishAsync(run, LongestGap);

        // Measured: none in five runs of six, and one of 836 in the other.
        Assert.True(balance.Commands.Sent - balance.Commands.Confirmed <= 2 * FaultCluster.Silos, balance.ToString());
    }

    [Fact]
    public async Task Silo_FrozenAMinuteThenContinued_DoesNothingAnyMore()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql);
        var frozen = run.Cluster.Running[0];
        frozen.Signal("STOP");
        await run.Cluster.Running[1].WaitForOutputAsync(Lost);
        await run.WaitForServiceAsync();

        // Time is what this is about.
        await Task.Delay(FaultScale.Absence, TestContext.Current.CancellationToken);
        frozen.Signal("CONT");

        // It learns that it was declared dead, and ends: 128 + SIGABRT.
        Assert.Equal(134, await frozen.WaitForExitAsync());
        await run.Cluster.ReplaceAsync(frozen);
        await run.WaitForServiceAsync();
        await FinishAsync(run, LongestGapOfSilence);
    }

    [Fact]
    public async Task Silo_CutOffByTheNetworkThenBack_DoesNothingMeanwhile()
    {
        await using var network = await SiloNetwork.CreateAsync();
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql, network);
        var apart = run.Cluster.Running[^1];
        await network.CutAsync();
        await run.Cluster.Running[0].WaitForOutputAsync(Lost);
        await run.WaitForServiceAsync();
        await Task.Delay(FaultScale.Absence, TestContext.Current.CancellationToken);
        await network.HealAsync();
        Assert.Equal(134, await apart.WaitForExitAsync());
        await run.WaitForServiceAsync();
        await FinishAsync(run, LongestGapOfSilence);
    }

    private async Task<FaultBalance> FinishAsync(FaultRun run, TimeSpan longestGap)
    {
        var balance = await run.FinishAsync();
        output.WriteLine(balance.ToString());
        try
        {
            balance.AssertPromises();
            Assert.True(balance.Updates.LongestWait < longestGap && balance.Commands.LongestGap < longestGap, balance.ToString());
        }
        catch (XunitException)
        {
            output.WriteLine(run.Cluster.ReadLogs());
            throw;
        }

        return balance;
    }
}
