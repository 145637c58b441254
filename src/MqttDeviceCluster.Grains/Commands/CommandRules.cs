using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>What a call must satisfy before anything is published. Every method throws <see cref="ArgumentException"/> or returns quietly.</summary>
internal static class CommandRules
{
    public const int MaxPins = 256;

    public static readonly TimeSpan MaxPulse = TimeSpan.FromDays(1);

    public static void Validate(ImmutableArray<ConfigPin> pins)
    {
        ThrowIfEmpty(pins, nameof(pins));
        ThrowIfRefused(pins, static pin => pin?.Pin, nameof(pins));
        foreach (var pin in pins)
        {
            if (!Enum.IsDefined(pin.Mode))
            {
                throw new ArgumentException($"Pin {pin.Pin} is to be put into mode {(int)pin.Mode}, which has no name.", nameof(pins));
            }

            if (pin.State is { } state)
            {
                ThrowIfUnnamed(pin.Pin, state, nameof(pins));
            }
        }
    }

    public static void Validate(ImmutableArray<SetPin> pins)
    {
        ThrowIfEmpty(pins, nameof(pins));
        ThrowIfRefused(pins, static pin => pin?.Pin, nameof(pins));
        foreach (var pin in pins)
        {
            ThrowIfUnnamed(pin.Pin, pin.State, nameof(pins));
            if (pin.Time is not { } time)
            {
                continue;
            }

            if (time <= TimeSpan.Zero || time > MaxPulse)
            {
                throw new ArgumentException($"The pulse of pin {pin.Pin} must be more than zero and at most a day but is {time}.", nameof(pins));
            }

            if (time.Ticks % TimeSpan.TicksPerMillisecond != 0)
            {
                throw new ArgumentException($"The pulse of pin {pin.Pin} must be whole milliseconds but is {time}.", nameof(pins));
            }
        }
    }

    public static void Validate(ImmutableArray<int> pins) => ThrowIfRefused(pins, static pin => pin, nameof(pins));

    public static void Validate(ImmutableArray<PinFilter> filters)
    {
        ThrowIfEmpty(filters, nameof(filters));
        if (filters.Length > MaxPins)
        {
            throw new ArgumentException($"At most {MaxPins} filters can be named but {filters.Length} were.", nameof(filters));
        }

        for (var i = 0; i < filters.Length; i++)
        {
            if (filters[i] is null)
            {
                throw new ArgumentException("A filter is null.", nameof(filters));
            }

            for (var j = 0; j < i; j++)
            {
                if (filters[i].Overlaps(filters[j]))
                {
                    throw new ArgumentException($"{filters[j]} and {filters[i]} overlap: one update could match both.", nameof(filters));
                }
            }
        }
    }

    public static void Validate(CommandOptions options)
    {
        ThrowIfOutOfRange(options.Timeout, CommandOptions.MaxTimeout, nameof(options));
        if (options.CommandId == Guid.Empty)
        {
            throw new ArgumentException($"{nameof(options.CommandId)} is empty.", nameof(options));
        }

        if (!Enum.IsDefined(options.PulseConfirmedBy))
        {
            throw new ArgumentException(
                $"{nameof(options.PulseConfirmedBy)} is {(int)options.PulseConfirmedBy}, which has no name.", nameof(options));
        }

        if (!Enum.IsDefined(options.WhenOffline))
        {
            throw new ArgumentException($"{nameof(options.WhenOffline)} is {(int)options.WhenOffline}, which has no name.", nameof(options));
        }
    }

    public static void Validate(WatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.BufferSize is < 1 or > WatchOptions.MaxBufferSize)
        {
            throw new ArgumentException(
                $"{nameof(options.BufferSize)} must be 1 to {WatchOptions.MaxBufferSize} but is {options.BufferSize}.", nameof(options));
        }

        if (options.DeviceId is not null)
        {
            DeviceId.ThrowIfInvalid(options.DeviceId, nameof(options));
        }
    }

    public static void Validate(WaitOptions options) => ThrowIfOutOfRange(options.Timeout, CommandOptions.MaxTimeout, nameof(options));

    private static void ThrowIfOutOfRange(TimeSpan timeout, TimeSpan max, string paramName)
    {
        if (timeout <= TimeSpan.Zero || timeout > max)
        {
            throw new ArgumentException($"The timeout must be more than zero and at most {max} but is {timeout}.", paramName);
        }
    }

    private static void ThrowIfEmpty<T>(ImmutableArray<T> items, string paramName)
    {
        if (items.IsDefaultOrEmpty)
        {
            throw new ArgumentException($"No {paramName} were named.", paramName);
        }
    }

    private static void ThrowIfRefused<T>(ImmutableArray<T> items, Func<T, int?> pinOf, string paramName)
    {
        if (items.Length > MaxPins)
        {
            throw new ArgumentException($"At most {MaxPins} pins can be named but {items.Length} were.", paramName);
        }

        HashSet<int> seen = new(items.Length);
        foreach (var item in items)
        {
            if (pinOf(item) is not { } pin)
            {
                throw new ArgumentException("A pin is null.", paramName);
            }

            if (pin < 0)
            {
                throw new ArgumentException($"Pin {pin} is negative.", paramName);
            }

            if (!seen.Add(pin))
            {
                throw new ArgumentException($"Pin {pin} is named twice.", paramName);
            }
        }
    }

    private static void ThrowIfUnnamed(int pin, PinState state, string paramName)
    {
        if (!Enum.IsDefined(state))
        {
            throw new ArgumentException($"Pin {pin} is to be put into state {(int)state}, which is neither low nor high.", paramName);
        }
    }
}
