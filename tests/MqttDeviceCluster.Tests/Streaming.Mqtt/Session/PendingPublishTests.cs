using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using MqttDeviceCluster.Tests.Grains;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class PendingPublishTests
{
    private readonly TwoClocks _time = new();

    [Theory]
    [InlineData(0, 3)]
    [InlineData(-60, 3)]
    [InlineData(2, 1)]
    public void ToPacket_ClockWasSetWhileItWaited_ExpiresNoLaterThanWithoutThat(int seconds, uint expiry)
    {
        MqttOutgoingMessage message = new() { Payload = default, ExpiresAt = _time.GetUtcNow().AddSeconds(5) };
        PendingPublish publish = new("d/set", message, _time, TestMetrics.Create());
        _time.Advance(TimeSpan.FromSeconds(2));
        _time.WallOffset = TimeSpan.FromSeconds(seconds);

        Assert.Equal(expiry, publish.ToPacket(1, _time.GetUtcNow()).ExpirySeconds);
    }
}
