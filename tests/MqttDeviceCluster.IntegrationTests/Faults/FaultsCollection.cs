namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Tests that load the whole machine, or measure times: they run one after the other, and beside no others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FaultsCollection
{
    public const string Name = "Faults";
}
