using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(FaultsFirst))]

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>The collection that takes the longest begins first: the others run beside it, and it is not left over at the end.</summary>
public sealed class FaultsFirst : ITestCollectionOrderer
{
    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(static collection => collection.TestCollectionDisplayName == FaultsCollection.Name ? 0 : 1)];
}
