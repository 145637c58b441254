using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MqttDeviceCluster.Tests.Cli;

/// <summary>As much of a terminal as a live display moves about on: what stands there in the end.</summary>
internal static partial class Screen
{
    /// <summary>Returns the lines on a terminal of endless height, colours left out.</summary>
    public static string[] Of(string output)
    {
        List<StringBuilder> lines = [new()];
        var (row, column) = (0, 0);
        foreach (Match part in Part().Matches(output.Replace("\r\n", "\n", StringComparison.Ordinal)))
        {
            var count = part.Groups["n"] is { Success: true, Length: > 0 } n ? int.Parse(n.Value, CultureInfo.InvariantCulture) : 1;
            switch (part.Groups["command"].Success ? part.Groups["command"].Value : "")
            {
                case "" when part.Value == "\n":
                    (row, column) = (row + 1, 0);
                    break;
                case "" when part.Value == "\r":
                    column = 0;
                    break;
                case "":
                    lines[row].Append(' ', Math.Max(0, column + 1 - lines[row].Length));
                    lines[row][column++] = part.Value[0];
                    break;
                case "A":
                    row = Math.Max(0, row - count);
                    break;
                case "K":
                    lines[row].Clear();
                    break;
                case "m" or "h" or "l":
                    break;
                default:
                    throw new NotSupportedException($"The screen does not know {part.Value[1..]}.");
            }

            while (lines.Count <= row)
            {
                lines.Add(new());
            }
        }

        return [.. lines.Select(line => line.ToString().TrimEnd())];
    }

    [GeneratedRegex("\u001b\\[\\??(?<n>[0-9]*)[0-9;]*(?<command>[A-Za-z])|(?s:.)")]
    private static partial Regex Part();
}
