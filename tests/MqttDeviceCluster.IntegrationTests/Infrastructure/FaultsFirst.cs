using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(FaultsFirst))]

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>The classes that take the longest begin first: beside them there is room for the others, and none of them is left over at the end.</summary>
public sealed class FaultsFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest = [".Faults.", ".Packages.", ".Upgrade."];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderByDescending(static collection => Longest.Any(part => collection.TestCollectionDisplayName.Contains(part, StringComparison.Ordinal)))
            .ThenBy(static collection => collection.TestCollectionDisplayName, StringComparer.Ordinal)];
}
