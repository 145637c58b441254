using System.Globalization;

namespace MqttDeviceCluster.Cli.Parsing;

/// <summary>The names of modes and states, in both directions. Case, hyphens and underscores do not matter when reading.</summary>
internal static class PinWords
{
    public const string StateForm = "low, high, 0 or 1";

    private static readonly (PinMode Mode, string Word)[] Modes =
    [
        (PinMode.Disabled, "disabled"),
        (PinMode.Input, "input"),
        (PinMode.Output, "output"),
        (PinMode.PullUp, "pull-up"),
        (PinMode.InputPullUp, "input-pull-up"),
        (PinMode.PullDown, "pull-down"),
        (PinMode.InputPullDown, "input-pull-down"),
        (PinMode.OpenDrain, "open-drain"),
        (PinMode.OutputOpenDrain, "output-open-drain"),
        (PinMode.Analog, "analog"),
    ];

    public static string ModeForm { get; } = string.Join(", ", Modes.Select(mode => mode.Word)) + ", or their numbers";

    public static string Word(PinMode? mode) => mode is null
        ? "-"
        : Array.Find(Modes, known => known.Mode == mode).Word ?? ((int)mode).ToString(CultureInfo.InvariantCulture);

    public static string Word(PinState? state) => state switch
    {
        null => "-",
        PinState.Low => "low",
        PinState.High => "high",
        _ => ((int)state).ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>Reads a mode; a number without a name only when <paramref name="anyNumber"/>.</summary>
    public static bool TryMode(string text, bool anyNumber, out PinMode mode)
    {
        if (TryNumber(text, out var number))
        {
            mode = (PinMode)number;
            return anyNumber || Array.Exists(Modes, known => (int)known.Mode == number);
        }

        var plain = text.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);
        foreach (var known in Modes)
        {
            if (plain.Equals(known.Word.Replace("-", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase))
            {
                mode = known.Mode;
                return true;
            }
        }

        mode = default;
        return false;
    }

    /// <summary>Reads a state; another number than 0 and 1 only when <paramref name="anyNumber"/>.</summary>
    public static bool TryState(string text, bool anyNumber, out PinState state)
    {
        if (TryNumber(text, out var number))
        {
            state = (PinState)number;
            return anyNumber || number is 0 or 1;
        }

        state = text.Equals("high", StringComparison.OrdinalIgnoreCase) ? PinState.High : PinState.Low;
        return state == PinState.High || text.Equals("low", StringComparison.OrdinalIgnoreCase);
    }

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number) && !text.StartsWith('+');
}
