namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What an operator reads while the store fails for a hundred devices that go on talking.</summary>
[Collection(LiveSiloCollection.Name)]
public sealed class StoreFailureTests(LiveSilo silo)
{
    [Fact]
    public void StoreFails_ForAHundredDevices_IsSaidOnceAndOnceWhenItIsOver()
    {
        Assert.Collection(
            silo.StoreFailureLog,
            static line => Assert.StartsWith("Error MqttDeviceCluster.Storage.", line, StringComparison.Ordinal),
            static line => Assert.Contains(" recovered: ", line, StringComparison.Ordinal));
    }
}
