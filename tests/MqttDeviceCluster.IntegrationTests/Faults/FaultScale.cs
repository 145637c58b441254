namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>How long the faults last: short in the ordinary run, at full length with MDC_FAULTS=full.</summary>
internal static class FaultScale
{
    /// <summary>Gets whether everything is asked for at full length.</summary>
    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("MDC_FAULTS") == "full";

    /// <summary>Gets how many silos are killed.</summary>
    public static int Kills { get; } = IsFull ? 10 : 3;

    /// <summary>Gets how long a silo stays frozen or cut off after the others have given it up.</summary>
    public static TimeSpan Absence { get; } = TimeSpan.FromSeconds(IsFull ? 60 : 3);

    /// <summary>Gets how long a broker or a database is away.</summary>
    public static TimeSpan Outage { get; } = TimeSpan.FromSeconds(IsFull ? 30 : 9);
}
