namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Tests with a cluster of their own under load: one after the other, beside those of other kinds.</summary>
[CollectionDefinition(Name)]
public sealed class FaultsCollection
{
    public const string Name = "Faults";
}
