using System.Text;
using MqttDeviceCluster.Cli.Connection;
using MqttDeviceCluster.Cli.Output;

namespace MqttDeviceCluster.Cli;

/// <summary>What surrounds a run of <c>mdc</c>: where it writes, what can show a table, and how it reaches a cluster.</summary>
internal sealed record CliEnvironment
{
    public required TextWriter Output { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Gets the width of the terminal that shows the output, or <see langword="null"/> when the output is redirected.</summary>
    public int? TerminalWidth { get; init; }

    /// <summary>
    /// Gets the size of the terminal now, or <see langword="null"/> when the output is not a terminal, or one whose cursor cannot be moved: a display
    /// that changes is lines there.
    /// </summary>
    public Func<(int Width, int Height)>? LiveTerminal { get; init; }

    /// <summary>Gets where the answers of a person come from, or <see langword="null"/> when nobody can be asked.</summary>
    public TextReader? Answers { get; init; }

    /// <summary>Gets whether the output may be coloured. Never when it is redirected, or when <c>NO_COLOR</c> is set.</summary>
    public bool Color { get; init; }

    /// <summary>Gets whether the run ends on Ctrl-C and SIGTERM.</summary>
    public bool HandleSignals { get; init; }

    /// <summary>Gets how a variable of the environment is read.</summary>
    public Func<string, string?> Variable { get; init; } = static _ => null;

    public IClusterConnector Connector { get; init; } = new OrleansClusterConnector();

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public static CliEnvironment OfProcess()
    {
        var redirected = Console.IsOutputRedirected;
        var dumb = Environment.GetEnvironmentVariable("TERM") == "dumb";
        return new CliEnvironment
        {
            Output = redirected && ClosablePipe.TryOpen() is { } pipe ? TextWriter.Synchronized(new StreamWriter(pipe, new UTF8Encoding(false)) { AutoFlush = true }) : Console.Out,
            Error = Console.Error,
            TerminalWidth = redirected ? null : Math.Max(20, Console.WindowWidth),
            LiveTerminal = redirected || dumb ? null : () => (Math.Max(20, Console.WindowWidth), Math.Max(10, Console.WindowHeight)),
            Answers = Console.IsInputRedirected || Console.IsErrorRedirected ? null : Console.In,
            Color = !redirected
                && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
                && !dumb,
            HandleSignals = true,
            Variable = Environment.GetEnvironmentVariable,
        };
    }
}
