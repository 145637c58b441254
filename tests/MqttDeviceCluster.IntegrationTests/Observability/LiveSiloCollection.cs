namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>Tests that look at one silo that has done work of every kind.</summary>
[CollectionDefinition(Name)]
public sealed class LiveSiloCollection : ICollectionFixture<LiveSilo>
{
    public const string Name = "Live silo";
}
