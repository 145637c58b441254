using System.Collections.Immutable;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>A watch whose events a test takes by hand.</summary>
internal sealed class TestWatch
{
    private static readonly WatchSource Source = new("silo", Guid.Empty);

    public TestWatch(FleetHub? hub = null, WatchOptions? options = null, long after = -1)
    {
        Subscription = new(options ?? new(), after);
        hub?.Add(Subscription);
    }

    public WatchSubscription Subscription { get; }

    public WatchBatch? TryTake(int max = WatchPump.MaxBatchSize) => Subscription.TryTake(Source, max);

    /// <summary>Takes everything.</summary>
    public ImmutableArray<DeviceEvent> TakeAll()
    {
        List<DeviceEvent> events = [];
        while (TryTake() is { } batch)
        {
            events.AddRange(batch.Events);
        }

        return [.. events];
    }

    /// <summary>Takes everything, each in a word: <c>13=High</c>, <c>13=High?</c> for an unchanged one, <c>13=High!</c> for a redelivered one.</summary>
    public string Words() => string.Join(' ', TakeAll().Select(Word));

    public static string Word(DeviceEvent value) => value switch
    {
        PinEvent pin => $"{pin.Update.Pin}={pin.Update.State}{(pin.Changed ? "" : "?")}{(pin.Redelivered ? "!" : "")}",
        PresenceEvent presence => presence.Presence.State.ToString(),
        DeviceAddedEvent => "added",
        DeviceForgottenEvent => "forgotten",
        GapEvent gap => $"{gap.Reason}({gap.Missed?.ToString(System.Globalization.CultureInfo.InvariantCulture)})",
        _ => value.GetType().Name,
    };
}
