using MqttDeviceCluster.Cli.Connection;

namespace MqttDeviceCluster.Cli;

/// <summary>What surrounds a run of <c>mdc</c>: where it writes, what can show a table, and how it reaches a cluster.</summary>
internal sealed record CliEnvironment
{
    public required TextWriter Output { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Gets the width of the terminal that shows the output, or <see langword="null"/> when the output is redirected.</summary>
    public int? TerminalWidth { get; init; }

    /// <summary>Gets whether the output may be coloured. Never when it is redirected, or when <c>NO_COLOR</c> is set.</summary>
    public bool Color { get; init; }

    /// <summary>Gets whether the run ends on Ctrl-C and SIGTERM.</summary>
    public bool HandleSignals { get; init; }

    public IClusterConnector Connector { get; init; } = new OrleansClusterConnector();

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public static CliEnvironment OfProcess()
    {
        var redirected = Console.IsOutputRedirected;
        return new CliEnvironment
        {
            Output = Console.Out,
            Error = Console.Error,
            TerminalWidth = redirected ? null : Math.Max(20, Console.WindowWidth),
            Color = !redirected
                && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
                && Environment.GetEnvironmentVariable("TERM") != "dumb",
            HandleSignals = true,
        };
    }
}
