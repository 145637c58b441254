using System.Collections.Immutable;
using System.Globalization;

namespace MqttDeviceCluster.Cli.Parsing;

/// <summary>Reads what <c>mdc</c> is told about pins, before anything is sent.</summary>
internal static class PinSpecs
{
    public const int MaxPins = 256;
    public const string ConfigForm = "PIN=MODE or PIN=MODE:STATE, such as 14=output or 13=output:high";
    public const string SetForm = "PIN=STATE or PIN=STATE:DURATION, such as 14=high or 13=low:500ms";
    public const string FilterForm = "PIN, PIN=STATE, PIN=MODE or PIN=MODE:STATE, such as 13=high, 13=output:high or *=high";

    private static readonly TimeSpan MaxPulse = TimeSpan.FromDays(1);

    public static string Device(string text)
    {
        try
        {
            DeviceId.ThrowIfInvalid(text);
            return text;
        }
        catch (ArgumentException)
        {
            throw new BadInputException(
                $"'{Shorten(text)}' is not a device id: 1 to {DeviceId.MaxBytes} bytes without '/', '+', '#' and control characters");
        }
    }

    /// <summary>The beginning of a device id, which keeps the rules of a whole one.</summary>
    public static string Prefix(string text) => DeviceId.IsValid(text)
        ? text
        : throw new BadInputException(
            $"'{Shorten(text)}' cannot begin a device id: 1 to {DeviceId.MaxBytes} bytes without '/', '+', '#' and control characters");

    public static ImmutableArray<ConfigPin> Config(IReadOnlyList<string> tokens) => All(tokens, ConfigForm, pin => pin.Pin, token =>
    {
        var (pin, value) = Split(token, ConfigForm);
        var (modeText, stateText) = SplitValue(value);
        if (!PinWords.TryMode(modeText, anyNumber: false, out var mode))
        {
            throw new BadInputException($"'{Shorten(modeText)}' in '{Shorten(token)}' is not a mode: give {PinWords.ModeForm}");
        }

        return new ConfigPin(pin, mode, stateText is null ? null : State(stateText, token, anyNumber: false));
    });

    public static ImmutableArray<SetPin> Set(IReadOnlyList<string> tokens) => All(tokens, SetForm, pin => pin.Pin, token =>
    {
        var (pin, value) = Split(token, SetForm);
        var (stateText, timeText) = SplitValue(value);
        var state = State(stateText, token, anyNumber: false);
        return new SetPin(pin, state, timeText is null ? null : Duration.Parse(timeText, "pulse", MaxPulse));
    });

    public static ImmutableArray<int> Get(IReadOnlyList<string> tokens) =>
        tokens.Count == 0 ? [] : All(tokens, "a pin number such as 13", pin => pin, token => Pin(token, token, "a pin number such as 13"));

    public static ImmutableArray<PinFilter> Filters(IReadOnlyList<string> tokens)
    {
        if (tokens.Count is 0 or > MaxPins)
        {
            throw Count(tokens.Count, FilterForm);
        }

        ImmutableArray<PinFilter> filters = [.. tokens.Select(Filter)];
        for (var i = 0; i < filters.Length; i++)
        {
            for (var j = i + 1; j < filters.Length; j++)
            {
                if (filters[i].Overlaps(filters[j]))
                {
                    throw new BadInputException(
                        $"'{Shorten(tokens[i])}' and '{Shorten(tokens[j])}' overlap: one update could match both, so it would not be clear which it answers");
                }
            }
        }

        return filters;
    }

    public static PinFilter Filter(string token)
    {
        var equals = token.IndexOf('=', StringComparison.Ordinal);
        var pinText = equals < 0 ? token : token[..equals];
        int? pin = pinText == "*" ? null : Pin(pinText, token, FilterForm);
        if (equals < 0)
        {
            return new PinFilter(pin);
        }

        var (first, second) = SplitValue(token[(equals + 1)..]);
        if (second is null)
        {
            // A name says which it is; a bare number is a state, as in 'set'.
            if (PinWords.TryState(first, anyNumber: true, out var state))
            {
                return new PinFilter(pin, State: state);
            }

            return PinWords.TryMode(first, anyNumber: false, out var only)
                ? new PinFilter(pin, only)
                : throw new BadInputException($"'{Shorten(first)}' in '{Shorten(token)}' is neither a state nor a mode: give {FilterForm}");
        }

        PinMode? mode = null;
        if (first != "*")
        {
            mode = PinWords.TryMode(first, anyNumber: true, out var named)
                ? named
                : throw new BadInputException($"'{Shorten(first)}' in '{Shorten(token)}' is not a mode: give {PinWords.ModeForm}, or *");
        }

        return new PinFilter(pin, mode, second == "*" ? null : State(second, token, anyNumber: true));
    }

    /// <summary>A token as it is shown in a message: one line of bounded length.</summary>
    public static string Shorten(string token)
    {
        var line = new string([.. token.Take(60).Select(c => char.IsControl(c) ? '?' : c)]);
        return token.Length > 60 ? line + "…" : line;
    }

    private static ImmutableArray<T> All<T>(IReadOnlyList<string> tokens, string form, Func<T, int> pinOf, Func<string, T> parse)
    {
        if (tokens.Count is 0 or > MaxPins)
        {
            throw Count(tokens.Count, form);
        }

        HashSet<int> seen = [];
        var parsed = ImmutableArray.CreateBuilder<T>(tokens.Count);
        foreach (var token in tokens)
        {
            var item = parse(token);
            if (!seen.Add(pinOf(item)))
            {
                throw new BadInputException($"'{Shorten(token)}' names pin {pinOf(item)} a second time: each pin once");
            }

            parsed.Add(item);
        }

        return parsed.MoveToImmutable();
    }

    private static BadInputException Count(int count, string form) => count == 0
        ? new BadInputException($"no pins: give {form}")
        : new BadInputException($"{count} pins are too many: at most {MaxPins}");

    private static (int Pin, string Value) Split(string token, string form)
    {
        var equals = token.IndexOf('=', StringComparison.Ordinal);
        return equals < 0
            ? throw new BadInputException($"'{Shorten(token)}' is not understood: give {form}")
            : (Pin(token[..equals], token, form), token[(equals + 1)..]);
    }

    private static (string First, string? Second) SplitValue(string value)
    {
        var colon = value.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? (value, null) : (value[..colon], value[(colon + 1)..]);
    }

    private static int Pin(string text, string token, string form) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var pin)
            ? pin
            : throw new BadInputException(
                $"'{Shorten(text)}'{(text == token ? "" : $" in '{Shorten(token)}'")} is not a pin (a whole number, 0 or more): give {form}");

    private static PinState State(string text, string token, bool anyNumber) => PinWords.TryState(text, anyNumber, out var state)
        ? state
        : throw new BadInputException($"'{Shorten(text)}' in '{Shorten(token)}' is not a state: give {PinWords.StateForm}");
}
