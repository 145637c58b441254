namespace MqttDeviceCluster.Tests.Grains;

internal static class TestClock
{
    /// <summary>How long a test waits for what must happen soon.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    public static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);
}
