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
    public void TryEnter_ThousandsOfKeys_LetsAThousandThroughInAMinute()
    {
        var throttle = new LogThrottle(_time);

        Assert.Equal(1_000, Enumerable.Range(0, 100_000).Count(i => throttle.TryEnter($"{i}", out _)));

        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.True(throttle.TryEnter("one more", out _));
    }

    [Fact]
    public void TryEnter_KeysThatDifferOnlyAfterTheLongestThatIsKept_AreOne()
    {
        var throttle = new LogThrottle(_time);

        Assert.True(throttle.TryEnter(new string('x', 60_000), out _));
        Assert.False(throttle.TryEnter(new string('x', 60_000) + "y", out _));
    }
}
