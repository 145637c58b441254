using MqttDeviceCluster.Streaming.Mqtt.Provider;
using Orleans.Providers.Streams.Common;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

public sealed class AtMostOnceLimitTests
{
    [Fact]
    public void Add_BeyondTheLimit_EndsTheOldestThatStillWaits()
    {
        var limit = new AtMostOnceLimit(2);
        var messages = Enumerable.Range(0, 4).Select(Message).ToList();

        Assert.False(limit.Add(messages[0]));
        Assert.False(limit.Add(messages[1]));
        Assert.True(limit.Add(messages[2]));
        Assert.True(limit.Add(messages[3]));

        Assert.Equal([true, true, false, false], messages.Select(message => message.HasEnded));
    }

    [Fact]
    public void Add_BehindOneThatTakesLong_FinishedOnesTakeNoRoom()
    {
        var limit = new AtMostOnceLimit(3);
        var stuck = Message(0);
        limit.Add(stuck);

        for (var i = 1; i < 100; i++)
        {
            var message = Message(i);
            Assert.False(limit.Add(message));
            Assert.True(message.TryEnd());
            limit.Release();
        }

        Assert.False(stuck.HasEnded);
    }

    private static MqttStreamMessage Message(int i) => new(StreamId.Create("ns", "a"), new EventSequenceTokenV2(i), i);
}
