using System.Collections.Immutable;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>The silo's fleet, as one device's grain sees it.</summary>
internal sealed class DeviceFleet(FleetHub hub, ActiveDevices active, FleetIntake intake, FleetWatches watches)
{
    public FleetHub Hub => hub;

    public ActiveDevices Active => active;

    /// <inheritdoc cref="FleetIntake.ListeningSince"/>
    public DateTimeOffset? ListeningSince => intake.ListeningSince;

    /// <inheritdoc cref="IDeviceIntake.OutageDetectionTime"/>
    public TimeSpan OutageDetectionTime => intake.OutageDetectionTime;

    /// <summary>Watches one device on this silo.</summary>
    public LocalWatch Watch(string deviceId, PinFilter? filter, long after) => new(hub, new() { DeviceId = deviceId, Pins = filter }, after);

    /// <summary>Waits, not for long, until those who watch the device have its news: the next silo's must not come before it.</summary>
    public Task DrainAsync() => watches.DrainAsync();
}

/// <summary>A watch over one device by a reader on the same silo.</summary>
internal sealed class LocalWatch : IDisposable
{
    private readonly FleetHub _hub;
    private readonly WatchOptions _options;
    private readonly WatchSource _source = new("", Guid.Empty);
    private long _expected;

    public LocalWatch(FleetHub hub, WatchOptions options, long after)
    {
        _hub = hub;
        _options = options;
        Subscription = Begin(after);
    }

    public WatchSubscription Subscription { get; private set; }

    /// <summary>Takes the next events, or returns <see langword="null"/> if there are none.</summary>
    /// <param name="missed">How many were dropped before them.</param>
    public ImmutableArray<DeviceEvent>? TryTake(out long missed)
    {
        missed = 0;
        if (Subscription.TryTake(_source, WatchPump.MaxBatchSize) is not { } batch)
        {
            return null;
        }

        missed = batch.First - _expected;
        _expected = batch.First + batch.Events.Length;
        return batch.Events;
    }

    /// <summary>Forgets what is in the buffer.</summary>
    public void Restart(long after)
    {
        _hub.Remove(Subscription);
        Subscription = Begin(after);
    }

    public void Dispose() => _hub.Remove(Subscription);

    private WatchSubscription Begin(long after)
    {
        WatchSubscription subscription = new(_options, after);
        _expected = 0;
        _hub.Add(subscription);
        return subscription;
    }
}
