namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Tests that measure the time or the memory that something takes: they run one after the other, and beside no others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
