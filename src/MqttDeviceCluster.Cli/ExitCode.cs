namespace MqttDeviceCluster.Cli;

/// <summary>The exit codes of <c>mdc</c>, which scripts rely on.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int BadInput = 2;
    public const int NotConfirmed = 3;
    public const int Unreachable = 4;
    public const int NoCluster = 5;

    /// <summary>128 + SIGINT, as shells have it.</summary>
    public const int Cancelled = 130;

    /// <summary>128 + SIGPIPE: nobody reads the output any more.</summary>
    public const int OutputClosed = 141;
}
