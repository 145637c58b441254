using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>An instrument of a running silo, and what was measured with it.</summary>
internal sealed class LiveInstrument(Instrument instrument)
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, int>> _attributes = new();
    private int _measurements;

    public string Name => instrument.Name;

    public string Unit => instrument.Unit ?? "";

    public string Description => instrument.Description ?? "";

    public string Meter => instrument.Meter.Name;

    /// <summary>Gets <c>counter</c>, <c>up-down counter</c>, <c>gauge</c> or <c>histogram</c>.</summary>
    public string Kind { get; } = KindOf(instrument);

    /// <summary>Gets the bounds of a histogram's buckets, if it says which.</summary>
    public IReadOnlyList<double> Bounds { get; } = instrument switch
    {
        Histogram<double> histogram => histogram.Advice?.HistogramBucketBoundaries ?? [],
        Histogram<int> histogram => [.. histogram.Advice?.HistogramBucketBoundaries?.Select(static bound => (double)bound) ?? []],
        _ => [],
    };

    public bool WasMeasured => Volatile.Read(ref _measurements) > 0;

    /// <summary>Gets the attributes with which it was measured, in order.</summary>
    public IReadOnlyList<string> AttributeKeys => [.. _attributes.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Gets every value that an attribute had.</summary>
    public IEnumerable<(string Key, string Value)> AttributeValues => _attributes.SelectMany(static attribute => attribute.Value.Keys.Select(value => (attribute.Key, value)));

    /// <summary>Returns how often it was measured with a value of an attribute.</summary>
    public int Times(string key, string value) => _attributes.TryGetValue(key, out var values) ? values.GetValueOrDefault(value) : 0;

    public void Note(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        Interlocked.Increment(ref _measurements);
        foreach (var (key, value) in tags)
        {
            _attributes.GetOrAdd(key, static _ => new()).AddOrUpdate(value?.ToString() ?? "", 1, static (_, count) => count + 1);
        }
    }

    private static string KindOf(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "Counter" or "ObservableCounter" => "counter",
        "UpDownCounter" or "ObservableUpDownCounter" => "up-down counter",
        "Gauge" or "ObservableGauge" => "gauge",
        "Histogram" => "histogram",
        var other => other,
    };
}
