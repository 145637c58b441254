using MqttDeviceCluster.Silo.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The alert rules and the dashboard ask for nothing that a running silo does not have.</summary>
[Collection(LiveSiloCollection.Name)]
public sealed class QueriesTests(LiveSilo silo)
{
    [Fact]
    public void Queries_OfAlertsAndDashboard_NameOnlyWhatALiveSiloHas()
    {
        var own = silo.Own.SelectMany(PrometheusName.Of).ToHashSet();
        var orleans = silo.Orleans.Where(static i => OrleansMeter.Useful.Contains(i.Name)).SelectMany(PrometheusName.Of).ToHashSet();
        var asked = PrometheusFiles.Expressions().SelectMany(PrometheusFiles.MetricsIn).Distinct().ToList();
        Assert.True(asked.Count > 30);
        Assert.DoesNotContain(asked, name => !own.Contains(name) && !orleans.Contains(name));

        // The other way round: what nobody looks at need not be measured. Sum and count of a histogram come with its buckets.
        Assert.DoesNotContain(silo.Own, i => !PrometheusName.Of(i).Any(asked.Contains));
    }

    [Fact]
    public void Queries_OfAlertsAndDashboard_NameOnlyAttributesThatALiveSiloHas()
    {
        var attributes = silo.Own.SelectMany(static i => i.AttributeKeys).Select(PrometheusName.OfAttribute).ToHashSet();
        Assert.DoesNotContain(
            PrometheusFiles.Expressions().SelectMany(PrometheusFiles.OwnNamesIn).Distinct(),
            name => !attributes.Contains(name) && !silo.Own.SelectMany(PrometheusName.Of).Contains(name));
    }
}
