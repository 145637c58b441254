using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class ReconnectBackoffTests
{
    [Fact]
    public void Next_ManyTimes_GrowsAndStaysJitteredAtTheCap()
    {
        ReconnectBackoff backoff = new(TimeSpan.FromSeconds(30), new Random(1));

        Assert.InRange(backoff.Next().TotalMilliseconds, 0, 250);
        for (var attempt = 1; attempt < 7; attempt++)
        {
            var limit = 250 * Math.Pow(2, attempt);
            Assert.InRange(backoff.Next().TotalMilliseconds, limit / 2, limit);
        }

        var atCap = Enumerable.Range(0, 200).Select(_ => backoff.Next().TotalSeconds).ToList();
        Assert.All(atCap, delay => Assert.InRange(delay, 15, 30));
        Assert.True(atCap.Max() - atCap.Min() > 10, "The delays at the cap are not spread.");
    }

    [Fact]
    public void Reset_AfterMany_StartsOver()
    {
        ReconnectBackoff backoff = new(TimeSpan.FromSeconds(30), new Random(1));
        Assert.InRange(backoff.AtCap().TotalSeconds, 15, 30);
        for (var i = 0; i < 10_000; i++)
        {
            backoff.Next();
        }

        backoff.Reset();

        Assert.InRange(backoff.Next().TotalMilliseconds, 0, 250);
    }
}
