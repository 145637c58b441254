using System.Runtime.Versioning;
using MqttDeviceCluster.IntegrationTests.Faults;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>The pods of the overlay for development come, go and die under load, each in a network namespace of its own.</summary>
[SupportedOSPlatform("linux")]
[Collection(FaultsCollection.Name)]
public sealed class PodClusterTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Dev_ScaledRolledAndKilledUnderLoad_LosesNothing()
    {
        await using var run = await LoadRun<PodCluster>.StartAsync(await PodCluster.StartAsync());
        await using var service = await ServiceLoad.StartAsync(run.Cluster.Service!.Process.Http, run.Cluster.Broker);

        // From one to three.
        await Task.WhenAll(run.Cluster.StartSiloAsync(), run.Cluster.StartSiloAsync());
        await run.WaitForServiceAsync();

        // A rollout, as the Deployment does it: one more, and when it is ready one of the old ones less, which still ends while the next one starts.
        var (failedBefore, refusedBefore) = (run.Commands.Failed, service.Failures.Count);
        var ends = Task.CompletedTask;
        foreach (var old in run.Cluster.Silos.ToList())
        {
            await run.Cluster.StartSiloAsync();
            await ends;
            ends = run.Cluster.StopSiloAsync(old);
        }

        await ends;
        await run.WaitForServiceAsync();

        var (failed, refused) = (run.Commands.Failed - failedBefore, service.Failures.Count - refusedBefore);

        await run.Cluster.KillSiloAsync(run.Cluster.Silos[0]);
        await run.Cluster.StartSiloAsync();
        await run.WaitForServiceAsync();

        // And back to one: both of the others at once.
        failedBefore = run.Commands.Failed;
        await Task.WhenAll(run.Cluster.Silos.Take(2).ToList().Select(run.Cluster.StopSiloAsync));
        await run.WaitForServiceAsync();
        await service.WaitForSuccessAsync();
        var failedAtTheEnd = run.Commands.Failed - failedBefore;

        var balance = await run.FinishAsync();
        output.WriteLine(balance.ToString());
        output.WriteLine($"in the rollout {failed} commands failed, and {refused} requests of the service; {failedAtTheEnd} commands when two stopped at once");
        output.WriteLine($"the service: {service.Succeeded} requests succeeded, {service.Failures.Count} failed: {string.Join("; ", service.Failures.GroupBy(static f => f).Select(static g => $"{g.Count()} {g.Key}"))}");
        balance.AssertPromises();
        Assert.Equal(balance.Updates.Taken, balance.Updates.Stored);

        // A handful.
        Assert.InRange(failed, 0, 10);
        Assert.InRange(refused, 0, 10);
        Assert.InRange(failedAtTheEnd, 0, 10);
        Assert.True(service.Succeeded > 100, $"{service.Succeeded} requests of the service succeeded.");
    }
}
