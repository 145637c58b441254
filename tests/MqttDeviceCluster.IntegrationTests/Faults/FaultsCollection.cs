namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Tests with a cluster of their own under load, which look at what acts late: one after the other, and beside no others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FaultsCollection
{
    public const string Name = "Faults";
}
