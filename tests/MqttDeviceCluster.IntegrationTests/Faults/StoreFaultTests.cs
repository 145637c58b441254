namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The server that holds members and states is away for a while, under load.</summary>
[Collection(FaultsCollection.Name)]
public sealed class StoreFaultTests(ITestOutputHelper output)
{
    [Fact]
    public async Task PostgreSql_StoppedAndStarted_NothingIsAcknowledgedWithoutAWriteAndItHeals()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql);
        await run.Cluster.PostgreSql!.StopAsync();
        await OutageAsync(run);
        await run.Cluster.PostgreSql.StartAsync();
        await FinishAsync(run);
    }

    [Fact]
    public async Task Redis_StoppedAndStarted_NothingIsAcknowledgedWithoutAWriteAndItHeals()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.Redis);
        await run.Cluster.Redis!.StopAsync();
        await OutageAsync(run);
        await run.Cluster.Redis.StartAsync();
        await FinishAsync(run);
    }

    private static async Task OutageAsync(FaultRun run)
    {
        // What was under way is over soon: afterwards nothing may be acknowledged.
        await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        var before = run.Cluster.Updates.Acknowledgements;
        await Task.Delay(FaultScale.Outage - TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        Assert.Equal(before, run.Cluster.Updates.Acknowledgements);
        foreach (var silo in run.Cluster.Running)
        {
            await silo.WaitForHealthAsync("/health/ready", static body => body.Contains("\"store\":{\"status\":\"degraded\"", StringComparison.Ordinal));
        }
    }

    private async Task FinishAsync(FaultRun run)
    {
        await run.WaitForServiceAsync();
        var balance = await run.FinishAsync();
        output.WriteLine(balance.ToString());
        balance.AssertPromises();
    }
}
