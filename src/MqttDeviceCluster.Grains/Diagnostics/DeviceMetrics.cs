using System.Diagnostics.Metrics;

namespace MqttDeviceCluster;

/// <summary>The instruments of the device grains.</summary>
internal sealed class DeviceMetrics
{
    /// <summary>The outcome of a wait that was not in vain.</summary>
    public const string Matched = "matched";

    private readonly Counter<long> _commands;
    private readonly UpDownCounter<long> _activeCommands;
    private readonly Histogram<double> _commandDuration;
    private readonly Counter<long> _applied;
    private readonly Counter<long> _ignored;
    private readonly Counter<long> _presenceChanges;
    private volatile FleetSize? _size;

    public DeviceMetrics(IMeterFactory meters, ActiveDevices active, FleetHub hub)
    {
        var meter = meters.Create(DeviceInstruments.MeterName);
        _commands = meter.CreateCounter<long>(DeviceInstruments.Commands, "{command}", "Calls to devices that ended.");
        _activeCommands = meter.CreateUpDownCounter<long>(
            DeviceInstruments.ActiveCommands, "{command}", "Calls to devices that have not ended, the wait in line included.");
        _commandDuration = meter.CreateHistogram<double>(
            DeviceInstruments.CommandDuration,
            "s",
            "From the publish of a command to its confirmation.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
            });
        _applied = meter.CreateCounter<long>(DeviceInstruments.UpdatesApplied, "{update}", "Updates and status messages that were applied.");
        _ignored = meter.CreateCounter<long>(DeviceInstruments.UpdatesIgnored, "{update}", "Updates, or readings in them, that were not applied.");
        _presenceChanges = meter.CreateCounter<long>(DeviceInstruments.PresenceChanges, "{change}", "Devices that came or went.");
        meter.CreateObservableGauge(DeviceInstruments.DevicesActive, () => active.Count, "{device}", "Devices in this silo's memory.");
        meter.CreateObservableGauge(
            DeviceInstruments.DevicesKnown, () => Of(_size?.Known), "{device}", "Devices of the whole cluster that are stored, counted now and then by one silo.");
        meter.CreateObservableGauge(
            DeviceInstruments.DevicesOnline, () => Of(_size?.Online), "{device}", "Devices of the whole cluster that are online, counted now and then by one silo.");
        meter.CreateObservableGauge(DeviceInstruments.Watches, () => hub.WatchCount, "{watch}", "Watches that this silo tells its news to.");
        meter.CreateObservableCounter(
            DeviceInstruments.WatchEventsDropped, () => hub.Dropped, "{event}", "Events that a watch has missed because its buffer was full.");
    }

    /// <summary>Sets how large the fleet is, as this silo has counted it; <see langword="null"/> while another one counts.</summary>
    public FleetSize? Size
    {
        set => _size = value;
    }

    /// <summary>Counts how <paramref name="call"/> ended.</summary>
    public async Task<T> MeasureAsync<T>(string kind, Func<T, string> outcomeOf, Func<Task<T>> call)
    {
        var tag = new KeyValuePair<string, object?>(DeviceInstruments.KindTag, kind);
        _activeCommands.Add(1, tag);
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
        finally
        {
            _activeCommands.Add(-1, tag);
        }
    }

    public static string OutcomeOf(Evidence evidence) => evidence switch
    {
        Evidence.Published => "published",
        Evidence.Observed => "observed",
        _ => "echoed",
    };

    public void Confirmed(string kind, TimeSpan elapsed) =>
        _commandDuration.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>(DeviceInstruments.KindTag, kind));

    public void Applied(bool changed) => _applied.Add(1, new KeyValuePair<string, object?>(DeviceInstruments.ChangedTag, changed));

    public void Ignored(string reason, int count = 1) =>
        _ignored.Add(count, new KeyValuePair<string, object?>(DeviceInstruments.ReasonTag, reason));

    /// <summary>Counts that a device came or went, if that is what its new state says.</summary>
    public void PresenceChanged(DeviceState before, DeviceState after)
    {
        if (before.Presence != after.Presence && PresenceOf(after) is { } presence)
        {
            _presenceChanges.Add(1, new(DeviceInstruments.PresenceTag, presence), new(DeviceInstruments.PresenceReasonTag, ReasonOf(after)));
        }
    }

    private static IEnumerable<Measurement<long>> Of(long? value) => value is { } known ? [new Measurement<long>(known)] : [];

    private static string? PresenceOf(DeviceState state) => (Presence)state.Presence switch
    {
        Presence.Online => "online",
        Presence.Offline => "offline",
        _ => null,
    };

    private static string ReasonOf(DeviceState state) => (PresenceReason)state.PresenceReason switch
    {
        PresenceReason.Birth => "birth",
        PresenceReason.Traffic => "traffic",
        PresenceReason.LastWill => "last_will",
        PresenceReason.Silence => "silence",
        _ => "unknown",
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
}

/// <param name="Known">Devices that are stored.</param>
/// <param name="Online">Those of them that are online.</param>
internal sealed record FleetSize(long Known, long Online);
