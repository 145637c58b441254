using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(FaultsFirst))]

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>What takes the longest begins first: the others run beside it, and it is not left over at the end.</summary>
public sealed class FaultsFirst : ITestCollectionOrderer
{
    private static readonly string[] Long = [".Packages.", ".Upgrade."];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(static collection => collection.TestCollectionDisplayName == FaultsCollection.Name ? 0
            : Array.Exists(Long, part => collection.TestCollectionDisplayName.Contains(part, StringComparison.Ordinal)) ? 1 : 2)];
}
