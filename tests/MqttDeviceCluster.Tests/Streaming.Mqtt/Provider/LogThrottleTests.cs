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

        Assert.True(throttle.TryEnter("a", out var heldBack, out var others));
        Assert.Equal((0, 0), (heldBack, others));
        Assert.False(throttle.TryEnter("a", out _, out _));
        Assert.False(throttle.TryEnter("a", out _, out _));
        Assert.True(throttle.TryEnter("b", out _, out _));
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.True(throttle.TryEnter("a", out heldBack, out others));
        Assert.Equal((2, 0), (heldBack, others));
    }

    [Fact]
    public void TryEnter_ThousandsOfKeys_LetsTenThroughInAMinuteAndTellsLaterHowManyHadNoTurn()
    {
        var throttle = new LogThrottle(_time);

        Assert.Equal(10, Enumerable.Range(0, 100_000).Count(i => throttle.TryEnter($"{i}", out _, out _)));

        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.True(throttle.TryEnter("one more", out var heldBack, out var others));
        Assert.Equal((0, 99_990), (heldBack, others));
        Assert.True(throttle.TryEnter("another", out _, out others));
        Assert.Equal(0, others);

        // One that had its turn before, and now finds ten others there before it.
        Assert.Equal(8, Enumerable.Range(0, 100).Count(i => throttle.TryEnter($"third {i}", out _, out _)));
        Assert.False(throttle.TryEnter("0", out _, out _));
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.True(throttle.TryEnter("0", out heldBack, out others));
        Assert.Equal((1, 92), (heldBack, others));
    }

    [Fact]
    public void TryEnter_KeysThatDifferOnlyAfterTheLongestThatIsKept_AreOne()
    {
        var throttle = new LogThrottle(_time);

        Assert.True(throttle.TryEnter(new string('x', 60_000), out _, out _));
        Assert.False(throttle.TryEnter(new string('x', 60_000) + "y", out _, out _));
    }
}
