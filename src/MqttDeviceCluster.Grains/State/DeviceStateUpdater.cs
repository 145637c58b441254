using System.Collections.Immutable;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>Applies updates to a device's state. Applying one twice changes nothing the second time.</summary>
internal static class DeviceStateUpdater
{
    /// <summary>Returns the state with <paramref name="update"/>, and what came of it.</summary>
    /// <remarks>
    /// A reading without mode or state keeps the one that is known. A retained message fills in what is missing or differs, but it is
    /// no sign of life: it moves no time.
    /// </remarks>
    public static AppliedUpdate Apply(DeviceState state, DeviceUpdate update, int maxPins)
    {
        if (UpdateOrder.IsLate(state, update))
        {
            return new(state, Late: true, Changed: false, RefusedPins: 0, new(update.CommandId, []));
        }

        var readings = update.Pins.IsDefault ? [] : update.Pins;
        var pins = state.Pins.ToBuilder();
        var observed = ImmutableArray.CreateBuilder<ObservedPin>(readings.Length);
        var changed = false;
        var refused = 0;
        foreach (var reading in readings)
        {
            var index = Find(pins, reading.Pin);
            if (reading.Pin < 0 || (index < 0 && pins.Count >= maxPins))
            {
                refused++;
                continue;
            }

            DevicePin? old = index < 0 ? null : pins[index];
            var pin = new DevicePin
            {
                Pin = reading.Pin,
                Mode = (int?)reading.Mode ?? old?.Mode,
                State = (int?)reading.State ?? old?.State,
                ReceivedAt = update.ReceivedAt,
            };
            observed.Add(new(reading, pin.ToUpdate()));
            var pinChanged = old is not { } known || known.Mode != pin.Mode || known.State != pin.State;
            changed |= pinChanged;
            if (old is null)
            {
                pins.Insert(~index, pin);
            }
            else if (pinChanged || !update.Retained)
            {
                pins[index] = pin;
            }
        }

        var next = PresenceRules.Heard(UpdateOrder.Advance(state, update), update);
        changed |= !ReferenceEquals(next, state);
        next = next with
        {
            Pins = pins.DrainToImmutable(),
            LastSeen = update.Retained ? next.LastSeen : Later(next.LastSeen, update.ReceivedAt),
        };
        return new(next, Late: false, changed, refused, new(update.CommandId, observed.DrainToImmutable()));
    }

    /// <summary>Returns the state with what the device's status topic says; the same one if that is known, or outdated.</summary>
    public static DeviceState Apply(DeviceState state, DeviceStatus status)
    {
        var next = PresenceRules.Heard(state, status);
        return status.Retained || status is { Online: false } ? next : next with { LastSeen = Later(next.LastSeen, status.ReceivedAt) };
    }

    private static DateTimeOffset Later(DateTimeOffset? known, DateTimeOffset time) => known > time ? known.Value : time;

    /// <summary>Returns the index of the pin, or the complement of where it belongs.</summary>
    private static int Find(ImmutableArray<DevicePin>.Builder pins, int pin)
    {
        var low = 0;
        var high = pins.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = pins[middle].Pin.CompareTo(pin);
            if (order == 0)
            {
                return middle;
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return ~low;
    }
}
