namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>How long the faults last: short in the ordinary run, at full length with MDC_FAULTS=full.</summary>
internal static class FaultScale
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("MDC_FAULTS") == "full";

    /// <summary>Gets how many silos are killed.</summary>
    public static int Kills { get; } = Full ? 10 : 4;

    /// <summary>Gets how long a silo is frozen: longer than it takes the others to declare it dead.</summary>
    public static TimeSpan Freeze { get; } = TimeSpan.FromSeconds(Full ? 60 : 20);

    /// <summary>Gets how long a silo is cut off: likewise.</summary>
    public static TimeSpan Cut { get; } = TimeSpan.FromSeconds(Full ? 60 : 20);

    /// <summary>Gets how long a broker or a database is away.</summary>
    public static TimeSpan Outage { get; } = TimeSpan.FromSeconds(Full ? 30 : 12);
}
