using Microsoft.Extensions.Time.Testing;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>A clock whose time of day is set while its monotonic one goes on.</summary>
internal sealed class TwoClocks() : FakeTimeProvider(TestClock.Noon)
{
    public TimeSpan WallOffset { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + WallOffset;

    // The base makes it of the time of day.
    public override long GetTimestamp() => base.GetUtcNow().UtcTicks;
}
