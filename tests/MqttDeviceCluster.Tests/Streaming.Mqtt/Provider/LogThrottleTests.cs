using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Streaming.Mqtt.Provider;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

public sealed class LogThrottleTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void TryEnter_SameKeyWithinAMinute_EntersOnceAndTellsLaterHowManyWereHeldBack()
    {
        var throttle = new LogThrottle(_time);

        Assert.True(throttle.TryEnter("a", out var heldBack));
        Assert.Equal(0, heldBack);
        Assert.False(throttle.TryEnter("a", out _));
        Assert.False(throttle.TryEnter("a", out _));
        Assert.True(throttle.TryEnter("b", out _));
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.True(throttle.TryEnter("a", out heldBack));
        Assert.Equal(2, heldBack);
    }

    [Fact]
    public void TryEnter_MillionsOfKeys_StaysBounded()
    {
        var throttle = new LogThrottle(_time);
        for (var i = 0; i < 10_000; i++)
        {
            throttle.TryEnter($"{i}", out _);
        }

        throttle.TryEnter("one more", out _);

        Assert.True(throttle.TryEnter("5", out _));
    }
}
