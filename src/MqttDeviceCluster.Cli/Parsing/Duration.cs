using System.Buffers;
using System.Globalization;

namespace MqttDeviceCluster.Cli.Parsing;

/// <summary>Durations as people write them: <c>500ms</c>, <c>2s</c>, <c>1.5s</c>, <c>5m</c>, <c>1h</c>.</summary>
internal static class Duration
{
    public const string Form = "a number with a unit: 500ms, 1.5s, 5m or 1h";

    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    /// <param name="text">What was typed.</param>
    /// <param name="what">What it is for, for the message.</param>
    /// <param name="max">The greatest duration.</param>
    public static TimeSpan Parse(string text, string what, TimeSpan max)
    {
        var unitAt = text.AsSpan().IndexOfAnyExcept(NumberCharacters);
        var (number, unit) = unitAt <= 0 ? (text, "") : (text[..unitAt], text[unitAt..]);
        decimal? milliseconds = unit.ToLowerInvariant() switch
        {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            _ => null,
        };

        if (milliseconds is null
            || number.Length > 12
            || !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
        {
            throw new BadInputException($"'{text}' is not a {what}: give {Form}");
        }

        value *= milliseconds.Value;
        if (value <= 0 || value > (decimal)max.TotalMilliseconds)
        {
            throw new BadInputException($"the {what} '{text}' is out of range: more than 0 and at most {max.TotalHours.ToString(CultureInfo.InvariantCulture)}h");
        }

        if (value != decimal.Truncate(value))
        {
            throw new BadInputException($"the {what} '{text}' is not a whole number of milliseconds");
        }

        return TimeSpan.FromMilliseconds((long)value);
    }
}
