using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Sums the counters of the stream provider of this process's silo, by instrument and <c>mqtt.reason</c>.</summary>
internal sealed class Counters : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(string Instrument, string? Reason), long> _sums = new();

    /// <param name="provider">The name of the stream provider: the tests' own connections have another.</param>
    public Counters(string provider)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == MqttStreamMetrics.MeterName && instrument is Counter<long>)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string? reason = null;
            foreach (var (name, tag) in tags)
            {
                if (name == "mqtt.provider" && (string?)tag != provider)
                {
                    return;
                }

                reason = name == "mqtt.reason" ? (string?)tag : reason;
            }

            _sums.AddOrUpdate((instrument.Name, reason), value, (_, sum) => sum + value);
        });
        _listener.Start();
    }

    public long this[string instrument] => _sums.Where(sum => sum.Key.Instrument == instrument).Sum(sum => sum.Value);

    public long this[string instrument, string reason] => _sums.GetValueOrDefault((instrument, reason));

    public string Text(string instrument) =>
        string.Join(", ", _sums.Where(sum => sum.Key.Instrument == instrument).OrderBy(sum => sum.Key.Reason).Select(sum => $"{sum.Key.Reason} {sum.Value:N0}"));

    public void Dispose() => _listener.Dispose();
}
