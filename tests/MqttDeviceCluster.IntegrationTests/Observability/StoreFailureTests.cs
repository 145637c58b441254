namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What an operator reads while the store fails for a hundred devices that go on talking.</summary>
[Collection(LiveSiloCollection.Name)]
public sealed class StoreFailureTests(LiveSilo silo)
{
    [Fact]
    public void StoreFails_ForAHundredDevices_IsSaidOnceAndOnceWhenItIsOver()
    {
        // Writes and reads fail each for themselves; a failure that lasts is mentioned again once a minute.
        // What Orleans says of a machine that is busy with other tests is not about the store.
        var lines = silo.StoreFailureLog.Where(static line => !line.Contains(".LocalSiloHealthMonitor: ", StringComparison.Ordinal)).ToList();
        Assert.True(lines.Count < 10, string.Join('\n', lines));
        Assert.All(lines, static line => Assert.Contains(" MqttDeviceCluster.Storage.", line, StringComparison.Ordinal));
        var begun = lines.Count(static line => line.Contains("Until it recovers", StringComparison.Ordinal));
        Assert.InRange(begun, 1, 2);
        Assert.Equal(begun, lines.Count(static line => line.Contains(" recovered: ", StringComparison.Ordinal)));
    }
}
