namespace MqttDeviceCluster.Simulator.Connection;

/// <summary>How long a connection waits before it tries again: doubling from a quarter second to 30, with jitter also at the cap.</summary>
internal static class ReconnectBackoff
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Cap = TimeSpan.FromSeconds(30);

    /// <param name="failures">How many attempts in a row failed, 0 after a connection that was lost.</param>
    /// <param name="random">The jitter, 0 to 1.</param>
    public static TimeSpan Delay(int failures, double random)
    {
        var upper = TimeSpan.FromTicks((long)Math.Min(Cap.Ticks, First.Ticks * Math.Pow(2, Math.Min(failures, 20))));
        return failures == 0 ? upper * random : upper * (0.5 + (random / 2));
    }
}
