using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// One line for each message; a stack trace only below an error, where someone has to look for its place. What fails the start is said by
/// <see cref="SiloHost"/>: until it is over, there are no stack traces.
/// </summary>
internal sealed class LineConsoleFormatter(TimeProvider time, StartPhase start) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "line";

    // No line of a trace looks like a message, whatever a device's text in it says.
    private const string TraceIndent = "    ";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        if (IsSaidAtTheEnd(logEntry.LogLevel, logEntry.Category, logEntry.Exception))
        {
            return;
        }

        var message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        textWriter.Write(time.GetLocalNow().ToString("HH:mm:ss.fff ", CultureInfo.InvariantCulture));
        textWriter.Write(logEntry.LogLevel switch
        {
            LogLevel.Trace => "trce ",
            LogLevel.Debug => "dbug ",
            LogLevel.Information => "info ",
            LogLevel.Warning => "warn ",
            LogLevel.Error => "FAIL ",
            _ => "CRIT ",
        });
        textWriter.Write(logEntry.Category.AsSpan()[(logEntry.Category.LastIndexOf('.') + 1)..]);
        textWriter.Write(": ");
        // A device's text may be part of a message: it gets no line of its own.
        WriteVisible(textWriter, message.ReplaceLineEndings(" "));
        if (logEntry.Exception is { } exception)
        {
            if (start.TracesAlways || (start.IsOver && logEntry.LogLevel >= LogLevel.Error))
            {
                textWriter.WriteLine();
                textWriter.Write(TraceIndent);
                WriteVisible(textWriter, exception.ToString().ReplaceLineEndings(Environment.NewLine + TraceIndent));
            }
            else
            {
                WriteVisible(textWriter, $" [{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")}]");
            }
        }

        textWriter.WriteLine();
    }

    /// <summary>
    /// Returns whether this is Orleans telling, at each level that it passes, of what fails the start: the process ends with that sentence. Only people are spared it: other formatters,
    /// and what is exported, have nothing but the log.
    /// </summary>
    private bool IsSaidAtTheEnd(LogLevel level, string category, Exception? exception) =>
        level == LogLevel.Error && category is "Orleans.Runtime.SiloLifecycleSubject" or "Orleans.Runtime.Silo"
        && !start.IsOver && !start.TracesAlways && exception is not null && SiloHost.IsPlain(SiloHost.Unwrap(exception));

    /// <summary>Writes what would steer the terminal of whoever reads it as an escape: control characters, and those that only change how others are shown.</summary>
    private static void WriteVisible(TextWriter textWriter, string text)
    {
        var written = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format && c is not ('\n' or '\t'))
            {
                textWriter.Write(text.AsSpan(written, i - written));
                textWriter.Write(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}"));
                written = i + 1;
            }
        }

        textWriter.Write(text.AsSpan(written));
    }
}

/// <summary>Whether the silo still starts.</summary>
internal sealed class StartPhase
{
    private volatile bool _isOver;

    public bool IsOver
    {
        get => _isOver;
        set => _isOver = value;
    }

    /// <summary>Gets whether every exception is logged whole: at Debug.</summary>
    public bool TracesAlways { get; init; }
}
