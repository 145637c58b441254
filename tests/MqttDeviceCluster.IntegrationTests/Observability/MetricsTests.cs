using System.Globalization;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The table of metrics in infra/observability/README.md is what a running silo measures, to the last attribute.</summary>
[Collection(LiveSiloCollection.Name)]
public sealed class MetricsTests(LiveSilo silo)
{
    [Fact]
    public void Instruments_OfALiveSilo_AreThoseOfTheTable()
    {
        var table = MetricsTable.Read().ToDictionary(static row => row.Name);
        var live = silo.Own.ToDictionary(static i => i.Name, static i => new MetricsTable.Row(i.Name, i.Kind, i.Unit, i.AttributeKeys));

        // Its dead letters can all be published: the tests of malformed messages count those that cannot.
        live[MqttStreamMetrics.DeadLettersLost] = live[MqttStreamMetrics.DeadLettersLost] with { Attributes = ["mqtt.provider"] };
        Assert.Equal(live.Values.Select(static row => row.ToString()), table.Values.OrderBy(static row => row.Name, StringComparer.Ordinal).Select(static row => row.ToString()));
        Assert.Equal([MqttStreamMetrics.DeadLettersLost], silo.Own.Where(static i => !i.WasMeasured).Select(static i => i.Name));
        Assert.All(silo.Own, static i => Assert.EndsWith(".", i.Description, StringComparison.Ordinal));
    }

    [Fact]
    public void Attributes_OfALiveSilo_NameNoDeviceTopicOrPayload()
    {
        var values = silo.Own.SelectMany(static i => i.AttributeValues.Select(attribute => (i.Name, attribute.Key, attribute.Value))).ToList();
        Assert.True(values.Count > 50, "Hardly anything was measured.");
        Assert.All(values, static value =>
        {
            Assert.Matches("^[A-Za-z0-9_]{1,32}$", value.Value);
            Assert.DoesNotContain(LiveSilo.Secrets, secret => value.Value.Contains(secret, StringComparison.OrdinalIgnoreCase));
        });
    }

    [Fact]
    public void Histograms_OfALiveSilo_HaveBucketsFromAFastDiskToALongTimeout()
    {
        var histograms = silo.Own.Where(static i => i.Kind == "histogram").Select(static i => $"{i.Name} | {i.Unit} | {string.Join(' ', i.Bounds.Select(static bound => bound.ToString(CultureInfo.InvariantCulture)))}");
        Assert.Equal(
            [
                "mdc.command.duration | s | 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60",
                "mdc.storage.commit.duration | s | 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10",
                "mdc.storage.commit.size | {operation} | 1 2 4 8 16 32 64 128 256 512 1024",
                "mqtt.stream.delivery.duration | s | 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30",
                "mqtt.stream.publish.duration | s | 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30",
            ],
            histograms);
    }

    [Fact]
    public void OrleansInstruments_Kept_ExistInALiveSilo()
    {
        var live = silo.Orleans.Select(static i => i.Name).ToHashSet();
        Assert.DoesNotContain(OrleansMeter.Useful, name => !live.Contains(name));
    }
}
