using System.Globalization;
using MqttDeviceCluster.Cli.Parsing;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>A table that changes in place, the newest first, as high as the terminal. However fast the events come, it is drawn ten times a second at most.</summary>
internal sealed class LiveWatchView : IWatchView
{
    private static readonly TimeSpan DrawInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>What of the terminal is not rows: title, borders, header, summary, and the line that the cursor is on.</summary>
    private const int OtherLines = 7;

    /// <summary>More than any terminal shows.</summary>
    private const int MaxRows = 500;

    private const int DeviceColumn = 1;

    /// <summary>The length of the ids in the field.</summary>
    private const int LeastDeviceWidth = 12;

    private static readonly string[] Headers = ["when (UTC)", "device", "pin", "mode", "state"];

    private readonly Func<(int Width, int Height)> _terminal;
    private readonly string _title;
    private readonly IAnsiConsole _console;
    private readonly Lock _lock = new();
    private readonly LinkedList<Row> _rows = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _drawing;
    private DevicePresence? _presence;
    private bool _started;
    private long _changes;
    private long _gaps;
    private long _version;

    public LiveWatchView(CliEnvironment environment, Func<(int Width, int Height)> terminal, string title)
    {
        (_terminal, _title) = (terminal, title);
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            // The cursor is moved also where colours are not wanted.
            Ansi = AnsiSupport.Yes,
            ColorSystem = environment.Color ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(environment.Output),
        });
        Fit();
        _drawing = _console.Live(Render()).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Bottom).StartAsync(DrawAsync);
    }

    public void Show(DeviceEvent told)
    {
        lock (_lock)
        {
            _version++;
            switch (told)
            {
                case WatchStartedEvent:
                    _started = true;
                    break;
                case DeviceSnapshotEvent whole:
                    (_started, _presence) = (true, whole.Snapshot.Presence);
                    foreach (var pin in whole.Snapshot.Pins.OrderBy(pin => pin.ReceivedAt))
                    {
                        Add(PinRow(whole.Snapshot.DeviceId, pin));
                    }

                    break;
                case PinEvent pin:
                    _changes++;
                    Add(PinRow(pin.DeviceId!, pin.Update));
                    break;
                case PresenceEvent presence:
                    _changes++;
                    // Only the watch over one device begins with a snapshot, and has one presence.
                    _presence = _presence is null ? null : presence.Presence;
                    Add(OtherRow(presence, PresenceWords.Describe(presence.Presence), ResultWriter.PresenceStyle(presence.Presence.State)));
                    break;
                case DeviceAddedEvent:
                    _changes++;
                    Add(OtherRow(told, "added", new Style(Color.Green)));
                    break;
                case DeviceForgottenEvent:
                    _changes++;
                    Add(OtherRow(told, "forgotten", new Style(Color.Yellow)));
                    break;
                case GapEvent gap:
                    _gaps++;
                    Add(OtherRow(gap, PresenceWords.Describe(gap), new Style(Color.Red)));
                    break;
                default:
                    throw new NotSupportedException($"There is no row for {told.GetType().Name}.");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _ended.TrySetResult();
        await _drawing;
    }

    private static Row PinRow(string deviceId, PinUpdate pin) => new(
        pin.ReceivedAt,
        deviceId,
        pin.Pin.ToString(CultureInfo.InvariantCulture),
        PinWords.Word(pin.Mode),
        PinWords.Word(pin.State),
        ResultWriter.StateStyle(PinWords.Word(pin.State)));

    private static Row OtherRow(DeviceEvent told, string text, Style style) => new(told.At, told.DeviceId ?? "", "", "", text, style);

    private void Add(Row row)
    {
        _rows.AddFirst(row);
        if (_rows.Count > MaxRows)
        {
            _rows.RemoveLast();
        }
    }

    private async Task DrawAsync(LiveDisplayContext context)
    {
        var drawn = -1L;
        var size = (Width: 0, Height: 0);
        while (true)
        {
            // Read first: what is told after this is drawn next time, and the last drawing has it all.
            var ended = _ended.Task.IsCompleted;
            var version = Interlocked.Read(ref _version);
            if (ended || version != drawn || size != _terminal())
            {
                (drawn, size) = (version, Fit());
                context.UpdateTarget(Render());
            }

            if (ended)
            {
                return;
            }

            await Task.WhenAny(_ended.Task, Task.Delay(DrawInterval));
        }
    }

    private (int Width, int Height) Fit()
    {
        var size = _terminal();
        (_console.Profile.Width, _console.Profile.Height) = size;
        return size;
    }

    private Rows Render()
    {
        lock (_lock)
        {
            string[][] cells = [.. _rows.Take(Math.Max(1, _console.Profile.Height - OtherLines)).Select(row => row.Cells)];
            var columns = Columns(cells, out var deviceWidth);
            var table = new Table { Border = TableBorder.Rounded };
            foreach (var column in columns)
            {
                var header = new TableColumn(new Text(Headers[column], new Style(decoration: Decoration.Bold))).NoWrap();
                header.Width = column == DeviceColumn ? deviceWidth : null;
                table.AddColumn(header);
            }

            foreach (var (row, texts) in _rows.Zip(cells))
            {
                table.AddRow([.. columns.Select(IRenderable (column) => new Text(texts[column], column == Headers.Length - 1 ? row.Style : Style.Plain) { Overflow = Overflow.Ellipsis })]);
            }

            // A line that wrapped would be one more than the cursor is moved back over.
            return new Rows(Line(Title()), table, Line(Summary()));
        }
    }

    /// <summary>Chooses what fits: a long id gives way first, and on a very narrow terminal the time and the mode.</summary>
    private int[] Columns(string[][] cells, out int deviceWidth)
    {
        int[] widths = [.. Headers.Select((header, column) => cells.Select(row => row[column].Length).Append(header.Length).Max())];
        int[] all = [0, 1, 2, 3, 4], few = [DeviceColumn, 2, 4];
        var columns = Left(all) >= Math.Min(widths[DeviceColumn], LeastDeviceWidth) ? all : few;
        deviceWidth = Math.Clamp(Left(columns), 4, widths[DeviceColumn]);
        return columns;

        // Each column has a border and two spaces, and there is one border more.
        int Left(int[] chosen) => _console.Profile.Width - (3 * chosen.Length) - 1 - chosen.Where(column => column != DeviceColumn).Sum(column => widths[column]);
    }

    private string Title() => _presence is null ? _title : $"{_title}: {PresenceWords.Describe(_presence)}";

    private string Summary() => !_started ? "connecting…" : string.Create(
        CultureInfo.InvariantCulture,
        $"{_changes} {(_changes == 1 ? "change" : "changes")}{(_gaps == 0 ? "" : $", {_gaps} {(_gaps == 1 ? "gap" : "gaps")}: events are missing")}{(_ended.Task.IsCompleted ? "" : "; Ctrl-C ends")}");

    private static Text Line(string text) => new(text) { Overflow = Overflow.Ellipsis };

    private sealed record Row(DateTimeOffset At, string Device, string Pin, string Mode, string What, Style Style)
    {
        public string[] Cells { get; } = [At.UtcDateTime.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture), Device, Pin, Mode, What];
    }
}
