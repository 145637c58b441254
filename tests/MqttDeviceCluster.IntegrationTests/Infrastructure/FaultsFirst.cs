using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(FaultsFirst))]

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>The classes that take the longest begin first: beside them there is room for the others, and none of them is left over at the end.</summary>
public sealed class FaultsFirst : ITestCollectionOrderer
{
    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderByDescending(static collection =>
                collection.TestCollectionDisplayName.Contains(".Faults.", StringComparison.Ordinal) || collection.TestCollectionDisplayName.Contains(".PodCluster", StringComparison.Ordinal))
            .ThenBy(static collection => collection.TestCollectionDisplayName, StringComparer.Ordinal)];
}
