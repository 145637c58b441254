namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What an operator reads while the store fails for a hundred devices that go on talking.</summary>
[Collection(LiveSiloCollection.Name)]
public sealed class StoreFailureTests(LiveSilo silo)
{
    [Fact]
    public void StoreFails_ForAHundredDevices_IsSaidOnceAndOnceWhenItIsOver()
    {
        // Writes and reads fail each for themselves.
        var lines = silo.StoreFailureLog;
        Assert.True(lines.Count is >= 2 and <= 4, string.Join('\n', lines));
        Assert.All(lines, static line => Assert.Contains(" MqttDeviceCluster.Storage.", line, StringComparison.Ordinal));
        Assert.Equal(lines.Count(static line => line.StartsWith("Error ", StringComparison.Ordinal)), lines.Count(static line => line.Contains(" recovered: ", StringComparison.Ordinal)));
    }
}
