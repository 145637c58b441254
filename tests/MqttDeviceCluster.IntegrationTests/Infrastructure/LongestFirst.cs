using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Of those that run beside others, what takes the longest begins first, and is not left over at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Long = [".Packages.", ".Upgrade."];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderByDescending(static collection => Array.Exists(Long, part => collection.TestCollectionDisplayName.Contains(part, StringComparison.Ordinal)))];
}
