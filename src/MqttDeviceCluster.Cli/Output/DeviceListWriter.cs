using System.Globalization;
using MqttDeviceCluster.Cli.Parsing;
using Spectre.Console;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>
/// Writes devices in chunks, so that the first are seen at once and 100,000 are never held: a table for each chunk on a terminal, aligned columns
/// when redirected, a line of JSON for each device with <c>--json</c>.
/// </summary>
internal sealed class DeviceListWriter(CliEnvironment environment, bool json)
{
    /// <summary>How long a chunk waits for its next device.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>How many devices have one header on a terminal, and share the widths of their columns.</summary>
    internal const int ChunkSize = 500;

    /// <summary>Narrower terminals do without the columns that change least.</summary>
    private const int WideTerminal = 100;

    private static readonly string[] Headers = ["DEVICE", "PRESENCE", "REASON", "SINCE", "LAST-SEEN", "FIRST-SEEN", "PINS"];

    private readonly List<DeviceSnapshot> _chunk = [];
    private readonly int[] _widths = [.. Headers.Select(header => header.Length)];
    private long _written;

    public void Add(DeviceSnapshot device)
    {
        if (json)
        {
            environment.Output.WriteLine(JsonDocuments.Snapshot(device));
            return;
        }

        _chunk.Add(device);
        if (_chunk.Count == ChunkSize)
        {
            Flush();
        }
    }

    /// <summary>Writes what has gathered.</summary>
    public void Flush()
    {
        if (_chunk.Count > 0)
        {
            if (environment.TerminalWidth is { } width)
            {
                WriteTable(width);
            }
            else
            {
                WriteAligned();
            }

            _written += _chunk.Count;
            _chunk.Clear();
        }

        environment.Output.Flush();
    }

    public void End()
    {
        Flush();
        if (!json && environment.TerminalWidth is not null)
        {
            environment.Output.WriteLine(_written == 1 ? "1 device" : FormattableString.Invariant($"{_written} devices"));
        }
    }

    private void WriteAligned()
    {
        string[][] rows = [.. _chunk.Select(Row)];
        for (var column = 0; column < Headers.Length; column++)
        {
            _widths[column] = Math.Max(_widths[column], rows.Max(row => row[column].Length));
        }

        // One header, and columns that only grow: what reads this counts words, not characters.
        foreach (var row in _written == 0 ? rows.Prepend(Headers) : rows)
        {
            environment.Output.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(_widths[column]))).TrimEnd());
        }
    }

    private static string[] Row(DeviceSnapshot device) =>
    [
        device.DeviceId,
        PresenceWords.Word(device.Presence.State),
        PresenceWords.Word(device.Presence.Reason) ?? "-",
        Time(device.Presence.Since),
        Time(device.LastSeen),
        Time(device.FirstSeen),
        device.Pins.IsEmpty ? "-" : string.Join(',', device.Pins.Select(Pin)),
    ];

    private void WriteTable(int width)
    {
        var wide = width >= WideTerminal;
        string[] headers = wide ? ["device", "presence", "for", "last seen", "first seen", "pins"] : ["device", "presence", "last seen", "pins"];
        var now = environment.TimeProvider.GetUtcNow();
        string[][] cells = [.. _chunk.Select(device => Cells(device, wide, now))];
        var fixedWidth = Enumerable.Range(0, headers.Length - 1)
            .Sum(column => Math.Max(headers[column].Length, cells.Max(row => row[column].Length)));
        var forPins = Math.Max(12, width - fixedWidth - (3 * headers.Length) - 1);

        var table = new Table { Border = TableBorder.Rounded };
        foreach (var header in headers)
        {
            table.AddColumn(new TableColumn(new Text(header, new Style(decoration: Decoration.Bold))).NoWrap());
        }

        for (var i = 0; i < _chunk.Count; i++)
        {
            table.AddRow([
                .. cells[i].Select((cell, column) => new Text(cell, column == 1 ? ResultWriter.PresenceStyle(_chunk[i].Presence.State) : Style.Plain)),
                new Text(Pins(_chunk[i], forPins)),
            ]);
        }

        // Never narrower than its cells: an id is not cut or broken; the terminal wraps instead.
        ResultWriter.CreateConsole(environment, Math.Max(width, fixedWidth + forPins + (3 * headers.Length) + 1)).Write(table);
    }

    private static string[] Cells(DeviceSnapshot device, bool wide, DateTimeOffset now)
    {
        var presence = PresenceWords.Describe(device.Presence);
        return wide
            ? [device.DeviceId, presence, Age(device.Presence.Since, now), Age(device.LastSeen, now), Age(device.FirstSeen, now)]
            : [device.DeviceId, presence, Age(device.LastSeen, now)];
    }

    /// <summary>As many pins as fit, and how many do not: <c>13=high 14=low +3</c>.</summary>
    private static string Pins(DeviceSnapshot device, int width)
    {
        var all = device.Pins.Select(Pin).ToList();
        var text = string.Join(' ', all);
        for (var shown = all.Count - 1; text.Length > width && shown >= 0; shown--)
        {
            text = string.Join(' ', all.Take(shown).Append(FormattableString.Invariant($"+{all.Count - shown}")));
        }

        return text;
    }

    private static string Pin(PinUpdate update) => string.Create(CultureInfo.InvariantCulture, $"{update.Pin}={PinWords.Word(update.State)}");

    private static string Time(DateTimeOffset? time) => time is { } known ? ResultWriter.Time(known) : "-";

    /// <summary>How long ago, in its greatest unit: <c>4s</c>, <c>12m</c>, <c>3h</c>, <c>14d</c>.</summary>
    internal static string Age(DateTimeOffset? time, DateTimeOffset now)
    {
        if (time is not { } known)
        {
            return "-";
        }

        // Our clock and the cluster's are two.
        var age = now > known ? now - known : TimeSpan.Zero;
        return age switch
        {
            { TotalMinutes: < 1 } => FormattableString.Invariant($"{age.Seconds}s"),
            { TotalHours: < 1 } => FormattableString.Invariant($"{age.Minutes}m"),
            { TotalDays: < 1 } => FormattableString.Invariant($"{age.Hours}h"),
            _ => FormattableString.Invariant($"{age.Days}d"),
        };
    }
}
