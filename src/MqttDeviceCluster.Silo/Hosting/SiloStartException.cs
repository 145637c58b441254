namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>The silo cannot start, and its operator can mend that: the message says what is wrong and how, in one sentence.</summary>
internal sealed class SiloStartException(string message, Exception? innerException = null, int exitCode = SiloExitCodes.CannotStart)
    : Exception(message, innerException)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>What the process ends with.</summary>
internal static class SiloExitCodes
{
    /// <summary>It ran and was asked to stop.</summary>
    public const int Stopped = 0;

    /// <summary>A port, the store, the broker's URL or another setting kept it from starting, or it failed later.</summary>
    public const int CannotStart = 1;

    /// <summary>The command line is wrong.</summary>
    public const int BadUsage = 2;
}
