using System.Diagnostics.Metrics;

namespace MqttDeviceCluster;

/// <summary>The instruments of the device grains.</summary>
internal sealed class DeviceMetrics
{
    private readonly Counter<long> _commands;
    private readonly Histogram<double> _confirmation;
    private readonly Counter<long> _applied;
    private readonly Counter<long> _ignored;

    public DeviceMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(DeviceInstruments.MeterName);
        _commands = meter.CreateCounter<long>(DeviceInstruments.Commands, "{command}", "Calls to devices that ended.");
        _confirmation = meter.CreateHistogram<double>(
            DeviceInstruments.ConfirmationDuration,
            "s",
            "Time from the publish of a command to its confirmation.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
            });
        _applied = meter.CreateCounter<long>(DeviceInstruments.UpdatesApplied, "{update}", "Updates that were applied.");
        _ignored = meter.CreateCounter<long>(DeviceInstruments.UpdatesIgnored, "{update}", "Updates that were not applied.");
    }

    /// <summary>Counts how <paramref name="call"/> ended.</summary>
    public async Task<T> MeasureAsync<T>(string kind, Func<T, string> outcomeOf, Func<Task<T>> call)
    {
        try
        {
            var result = await call();
            CommandEnded(kind, outcomeOf(result));
            return result;
        }
        catch (Exception exception)
        {
            CommandEnded(kind, OutcomeOf(exception));
            throw;
        }
    }

    public static string OutcomeOf(Evidence evidence) => evidence switch
    {
        Evidence.Published => "published",
        Evidence.Observed => "observed",
        _ => "echoed",
    };

    public static string OutcomeOf(Exception exception) => exception switch
    {
        DeviceTimeoutException => "timeout",
        DeviceBusyException => "busy",
        DeviceOfflineException => "offline",
        BrokerUnavailableException => "broker_unavailable",
        DeviceInterruptedException => "interrupted",
        OperationCanceledException => "cancelled",
        ArgumentException => "invalid",
        _ => "error",
    };

    private void CommandEnded(string kind, string outcome) =>
        _commands.Add(1, new(DeviceInstruments.KindTag, kind), new(DeviceInstruments.OutcomeTag, outcome));

    public void Confirmed(string kind, TimeSpan elapsed) =>
        _confirmation.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>(DeviceInstruments.KindTag, kind));

    public void Applied(bool changed) => _applied.Add(1, new KeyValuePair<string, object?>(DeviceInstruments.ChangedTag, changed));

    public void Ignored(string reason, int count = 1) =>
        _ignored.Add(count, new KeyValuePair<string, object?>(DeviceInstruments.ReasonTag, reason));
}
