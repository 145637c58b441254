using System.Globalization;
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
        var runtime = silo.Runtime.SelectMany(PrometheusName.Of).ToHashSet();
        Assert.DoesNotContain(asked, name => !own.Contains(name) && !orleans.Contains(name) && !runtime.Contains(name));

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

    [Fact]
    public async Task Queries_OfAlertsDashboardAndUnitTests_MatchOnlyValuesThatCanBe()
    {
        var labels = silo.Own.SelectMany(static i => i.AttributeKeys).Select(PrometheusName.OfAttribute).ToHashSet();
        var can = silo.Own.Concat(await PossibleValues.CollectAsync())
            .SelectMany(static i => i.AttributeValues.SelectMany(a => PrometheusName.Of(i).Select(metric => (metric, PrometheusName.OfAttribute(a.Key), a.Value)))).ToHashSet();
        var asked = PrometheusFiles.Expressions().Append(await File.ReadAllTextAsync(PrometheusFiles.RuleTests, TestContext.Current.CancellationToken))
            .SelectMany(PrometheusFiles.ValuesIn).Where(asked => labels.Contains(asked.Label)).Distinct().ToList();
        Assert.True(asked.Count > 20);
        Assert.DoesNotContain(asked, value => !can.Contains(value));
    }

    /// <summary>Between two bounds a quantile is a guess.</summary>
    [Fact]
    public void Alerts_OnAQuantile_CompareItWithABoundOfItsBuckets()
    {
        var histograms = silo.Own.Where(static i => i.Kind == "histogram").ToDictionary(static i => PrometheusName.Of(i).First());
        var limits = PrometheusFiles.Expressions().SelectMany(PrometheusFiles.QuantileLimitsIn).ToList();
        Assert.Equal(3, limits.Count);
        Assert.All(limits, limit => Assert.Contains(limit.Limit, histograms[limit.Metric].Bounds));

        var buckets = PrometheusFiles.ValuesIn(File.ReadAllText(PrometheusFiles.RuleTests)).Where(static value => value.Label == "le" && value.Value != "+Inf").ToList();
        Assert.NotEmpty(buckets);
        Assert.All(buckets, bucket => Assert.Contains(double.Parse(bucket.Value, CultureInfo.InvariantCulture), histograms[bucket.Metric].Bounds));
    }
}
