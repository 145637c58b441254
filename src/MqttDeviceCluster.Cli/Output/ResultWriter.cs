using System.Collections.Immutable;
using System.Globalization;
using MqttDeviceCluster.Cli.Parsing;
using Spectre.Console;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>Writes what a command found out: a table on a terminal, aligned text when redirected, one JSON document with <c>--json</c>.</summary>
internal sealed class ResultWriter(CliEnvironment environment, bool json)
{
    private static readonly string[] Headers = ["PIN", "MODE", "STATE", "RECEIVED"];

    public void Write(CommandResult result)
    {
        var evidence = Evidence(result.Evidence);
        if (json)
        {
            environment.Output.WriteLine(JsonDocuments.Result(result.DeviceId, evidence, result.Updates));
            return;
        }

        WriteText(
            result.DeviceId,
            [("evidence", evidence, environment.TerminalWidth is null ? null : Explain(result.Evidence))],
            result.Updates);
    }

    public void Write(DeviceSnapshot snapshot)
    {
        if (json)
        {
            environment.Output.WriteLine(JsonDocuments.Snapshot(snapshot));
            return;
        }

        var presence = PresenceWords.Describe(snapshot.Presence) + (snapshot.Presence.Since is { } since ? $" since {Time(since)}" : "");
        WriteText(
            snapshot.DeviceId,
            [
                ("presence", presence, null),
                ("first-seen", snapshot.FirstSeen is { } first ? Time(first) : "never", null),
                ("last-seen", snapshot.LastSeen is { } last ? Time(last) : "never", null),
                ("firmware", snapshot.Firmware ?? "-", null),
            ],
            snapshot.Pins);
    }

    public void WriteForgotten(string deviceId, bool forgotten)
    {
        if (json)
        {
            environment.Output.WriteLine(JsonDocuments.Forgotten(deviceId, forgotten));
            return;
        }

        WriteText(deviceId, [("forgotten", forgotten ? "yes" : "no", forgotten ? null : "the cluster knew no such device")], []);
    }

    public void WriteCount(long devices) =>
        environment.Output.WriteLine(json ? JsonDocuments.Count(devices) : devices.ToString(CultureInfo.InvariantCulture));

    /// <summary>Begins a list.</summary>
    public DeviceListWriter List() => new(environment, json);

    /// <summary>Begins to show what a watch is told.</summary>
    /// <param name="title">What is watched, for people.</param>
    public IWatchView Watch(string title) => json ? new JsonWatchView(environment)
        : environment.LiveTerminal is { } terminal ? new LiveWatchView(environment, terminal, title)
        : new LineWatchView(environment);

    public void Write(string deviceId, ImmutableArray<PinUpdate> updates)
    {
        if (json)
        {
            environment.Output.WriteLine(JsonDocuments.Updates(deviceId, updates));
            return;
        }

        WriteText(deviceId, [], updates);
    }

    /// <summary>A console of a fixed width that never asks and never moves the cursor.</summary>
    public static IAnsiConsole CreateConsole(CliEnvironment environment, int width)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = environment.Color ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = environment.Color ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(environment.Output),
        });
        console.Profile.Width = width;
        return console;
    }

    public static Style PresenceStyle(Presence presence) => presence switch
    {
        Presence.Online => new Style(Color.Green),
        Presence.Offline => new Style(Color.Red),
        _ => Style.Plain,
    };

    public static Style StateStyle(string state) => state switch
    {
        "high" => new Style(Color.Green),
        "low" => new Style(Color.Blue),
        _ => Style.Plain,
    };

    /// <summary>UTC, in milliseconds: the same in a table, in text and in JSON.</summary>
    public static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static string Evidence(Evidence evidence) => evidence.ToString().ToLowerInvariant();

    private static string Explain(Evidence evidence) => evidence switch
    {
        MqttDeviceCluster.Evidence.Published => "the broker took it; nothing is known of the device",
        MqttDeviceCluster.Evidence.Observed => "the device reported it after the command was sent",
        MqttDeviceCluster.Evidence.Echoed => "the device confirmed exactly this command",
        _ => "",
    };

    private static string[] Row(PinUpdate update) =>
    [
        update.Pin.ToString(CultureInfo.InvariantCulture), PinWords.Word(update.Mode), PinWords.Word(update.State), Time(update.ReceivedAt),
    ];

    private void WriteText(string deviceId, (string Name, string Value, string? Remark)[] facts, ImmutableArray<PinUpdate> updates)
    {
        var all = facts.Prepend(("device", deviceId, null)).ToList();
        var width = all.Max(fact => fact.Item1.Length);
        foreach (var (name, value, remark) in all)
        {
            // Never through the table: an id is not wrapped or cut, whatever the width of the terminal.
            environment.Output.WriteLine($"{name.PadRight(width)}  {value}{(remark is null ? "" : $" ({remark})")}");
        }

        if (updates.IsEmpty)
        {
            return;
        }

        string[][] rows = [.. updates.Select(Row)];
        if (environment.TerminalWidth is { } terminal)
        {
            WriteTable(rows, terminal);
        }
        else
        {
            environment.Output.WriteLine();
            WriteAligned(rows);
        }
    }

    private void WriteAligned(string[][] rows)
    {
        var widths = Headers.Select((header, column) => Math.Max(header.Length, rows.Max(row => row[column].Length))).ToArray();
        foreach (var row in rows.Prepend(Headers))
        {
            environment.Output.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }

    private void WriteTable(string[][] rows, int width)
    {
        // A narrower table would break cells over lines; let the terminal wrap instead.
        var console = CreateConsole(environment, Math.Max(width, 64));
        var table = new Table { Border = TableBorder.Rounded };
        foreach (var header in Headers)
        {
            table.AddColumn(new TableColumn(new Text(header.ToLowerInvariant(), new Style(decoration: Decoration.Bold))).NoWrap());
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select((cell, column) => new Text(cell, column == 2 ? StateStyle(cell) : Style.Plain)));
        }

        console.Write(table);
    }
}
