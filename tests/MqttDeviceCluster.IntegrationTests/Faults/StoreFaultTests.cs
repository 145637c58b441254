namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>The server that holds members and states is away for a while, under load.</summary>
[Collection(FaultsCollection.Name)]
public sealed class StoreFaultTests(ITestOutputHelper output)
{
    /// <summary>Shorter than the outage: what fails for so long would be given up if it were not known that the store is to blame.</summary>
    private const string GivesUpEarly = "--Mqtt:MaxDeliveryTime=00:00:05";

    private const string GaveUp = "Gave up a message";

    private const string Receives = "The MQTT connection (receive)";

    [Fact]
    public async Task PostgreSql_StoppedAndStarted_NothingIsAcknowledgedWithoutAWriteAndItHeals()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql, settings: GivesUpEarly);
        await run.Cluster.PostgreSql!.StopAsync();
        await OutageAsync(run);
        await run.Cluster.PostgreSql.StartAsync();
        await FinishAsync(run);
    }

    [Fact]
    public async Task Redis_StoppedAndStarted_NothingIsAcknowledgedWithoutAWriteAndItHeals()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.Redis, settings: GivesUpEarly);
        await run.Cluster.Redis!.StopAsync();
        await OutageAsync(run);
        await run.Cluster.Redis.StartAsync();
        await FinishAsync(run);
    }

    [Fact]
    public async Task PostgreSql_AwayFromOneSiloThatDoesNotReceive_NothingIsGivenUpForIt()
    {
        await using var run = await FaultRun.StartAsync(FaultStore.PostgreSql, storesApart: true, settings: GivesUpEarly);
        var receiver = run.Cluster.Running.MaxBy(static silo => silo.Output.Split('\n').LastOrDefault(static line => line.Contains(Receives, StringComparison.Ordinal)), StringComparer.Ordinal);
        var apart = run.Cluster.Running.First(silo => silo != receiver);

        await run.Cluster.CutStoreAsync(apart);
        await receiver!.WaitForOutputAsync("The store fails on silo");
        await Task.Delay(FaultScale.Outage, TestContext.Current.CancellationToken);
        run.Cluster.HealStore(apart);

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
        Assert.DoesNotContain(GaveUp, run.Cluster.ReadLogs(), StringComparison.Ordinal);
    }
}
