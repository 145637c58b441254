using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>
/// What one device has to tell to those who watch. News is told once the state with it is stored: after a crash, what was told is what is known, and an update
/// that comes again changes nothing.
/// </summary>
/// <remarks>
/// A message that the broker marked as sent again may be a repetition of an older one or the first that is heard of it: its changes are told, with that mark.
/// </remarks>
internal sealed class DeviceNews(string deviceId, FleetHub hub, TimeProvider time)
{
    /// <summary>How much news may wait for its write. A store that fails holds the updates back that are acknowledged, and no others.</summary>
    private const int MaxUntold = 1024;

    private static readonly TimeSpan Lately = TimeSpan.FromSeconds(30);

    private Queue<(DeviceEvent Event, long Version)>? _untold;
    private long _toldAt;
    private bool _wasTold;

    /// <summary>Gets whether something was told that may still be on its way.</summary>
    public bool WasToldLately => _wasTold && time.GetElapsedTime(_toldAt) < Lately;

    /// <summary>Notes what a message changed, if anybody watches.</summary>
    /// <param name="message">The message.</param>
    /// <param name="before">The device before it.</param>
    /// <param name="after">The device after it.</param>
    /// <param name="observed">The readings, of an update.</param>
    /// <param name="version">The version of the state that must be stored first.</param>
    public void Note(DeviceMessage message, DeviceState before, DeviceState after, in ObservedUpdate observed, long version)
    {
        if (!hub.IsWatched(deviceId))
        {
            return;
        }

        if (before.FirstSeen is null)
        {
            Add(new DeviceAddedEvent(deviceId, message.ReceivedAt), version);
        }

        NotePresence(before, after, message.ReceivedAt, version);
        if (observed.Pins.IsDefaultOrEmpty)
        {
            return;
        }

        // A pin may be named twice in an update: each time against what was known then.
        var known = before.Pins;
        Dictionary<int, (int? Mode, int? State)>? named = null;
        foreach (var pin in observed.Pins)
        {
            var (mode, state) = ((int?)pin.Known.Mode, (int?)pin.Known.State);
            var isKnown = named is not null && named.TryGetValue(pin.Known.Pin, out var old) ? true : TryFind(known, pin.Known.Pin, out old);
            var changed = !isKnown || old.Mode != mode || old.State != state;
            if (observed.Pins.Length > 1)
            {
                (named ??= [])[pin.Known.Pin] = (mode, state);
            }

            Add(new PinEvent(deviceId, pin.Known, changed) { Redelivered = message.Redelivered }, version);
        }
    }

    /// <summary>Notes that the device came or went, if it did.</summary>
    public void NotePresence(DeviceState before, DeviceState after, DateTimeOffset at, long version)
    {
        if (before.Presence != after.Presence && hub.IsWatched(deviceId))
        {
            Add(new PresenceEvent(deviceId, at, after.ToPresence()), version);
        }
    }

    /// <summary>Tells what is stored.</summary>
    public void Tell(long storedVersion)
    {
        while (_untold is not null && _untold.TryPeek(out var news) && news.Version <= storedVersion)
        {
            _untold.Dequeue();
            (_wasTold, _toldAt) = (true, time.GetTimestamp());
            hub.Tell(news.Event, news.Version);
        }
    }

    /// <summary>Tells that the device was forgotten, in place of what was not told yet.</summary>
    public void TellForgotten()
    {
        _untold?.Clear();
        hub.Tell(new DeviceForgottenEvent(deviceId, time.GetUtcNow()));
    }

    /// <summary>Tells that the activation ends with news that may be stored or not, and that nobody will tell.</summary>
    public void TellInterrupted()
    {
        if (_untold is { Count: > 0 })
        {
            _untold.Clear();
            hub.Tell(new GapEvent(deviceId, time.GetUtcNow(), GapReason.DeviceInterrupted));
        }
    }

    private void Add(DeviceEvent value, long version)
    {
        _untold ??= new();
        if (_untold.Count >= MaxUntold)
        {
            TellInterrupted();
        }

        _untold.Enqueue((value, version));
    }

    private static bool TryFind(System.Collections.Immutable.ImmutableArray<DevicePin> pins, int number, out (int? Mode, int? State) found)
    {
        foreach (var pin in pins)
        {
            if (pin.Pin == number)
            {
                found = (pin.Mode, pin.State);
                return true;
            }
        }

        found = default;
        return false;
    }
}
