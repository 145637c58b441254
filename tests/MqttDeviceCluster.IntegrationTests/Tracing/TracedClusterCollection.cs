namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>Tests of what becomes of a command, as its trace tells it.</summary>
[CollectionDefinition(Name)]
public sealed class TracedClusterCollection : ICollectionFixture<TracedCluster>
{
    public const string Name = "Traced cluster";
}
