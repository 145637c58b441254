using MqttDeviceCluster.Streams;
using Orleans.Providers.Streams.Common;
using Orleans.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class RecentDeliveriesTests
{
    [Fact]
    public void IsRepeated_SameDelivery_IsTrueAndOthersAreNot()
    {
        RecentDeliveries deliveries = new();
        var first = RecentDeliveries.MarkOf(Delivery(7, TestClock.Noon, TestClock.Noon));

        Assert.False(deliveries.IsRepeated(first));
        Assert.False(deliveries.IsRepeated(first));
        deliveries.Add(first);
        Assert.True(deliveries.IsRepeated(first));
        Assert.False(deliveries.IsRepeated(RecentDeliveries.MarkOf(Delivery(8, TestClock.Noon, TestClock.Noon))));
        Assert.False(deliveries.IsRepeated(RecentDeliveries.MarkOf(Delivery(7, TestClock.Noon))));
        Assert.False(deliveries.IsRepeated(RecentDeliveries.MarkOf(Delivery(7, TestClock.Noon.AddTicks(1), TestClock.Noon))));
        Assert.True(deliveries.IsRepeated(first));
    }

    [Fact]
    public void IsRepeated_MarkOfTheStoredState_IsKnownToTheNextActivation()
    {
        RecentDeliveries deliveries = new();
        deliveries.Add(RecentDeliveries.MarkOf(Delivery(7, TestClock.Noon)));

        Assert.True(deliveries.IsRepeated(RecentDeliveries.MarkOf(Delivery(7, TestClock.Noon))));
    }

    [Fact]
    public void FindApplied_FailedDeliveryComesWithWhatCameSinceAndThenAlone_KnowsItsMessages()
    {
        RecentDeliveries deliveries = new();
        var (first, second, third) = (Message(1, TestClock.Noon), Message(2, TestClock.Noon), Message(3, TestClock.Noon.AddSeconds(1)));

        Assert.Null(deliveries.FindApplied([first]));
        deliveries.AddMessages([first], isFresh: true);
        Assert.Equal([true, false], deliveries.FindApplied([first, second])!);
        deliveries.AddMessages([first, second], isFresh: false);
        Assert.Equal([true, true, false], deliveries.FindApplied([first, second, third])!);
        Assert.Equal([true], deliveries.FindApplied([second])!);

        // The same number at another time is another message: a queue may have lost its count.
        Assert.Null(deliveries.FindApplied([Message(2, TestClock.Noon.AddTicks(1))]));

        deliveries.AddMessages([third], isFresh: true);
        Assert.Null(deliveries.FindApplied([first, second]));

        static SequentialItem<DeviceMessage> Message(long number, DateTimeOffset time) => Delivery(number, time)[0];
    }

    [Fact]
    public void FindApplied_Long_ForgetsTheOldest()
    {
        RecentDeliveries deliveries = new();
        for (var number = 0; number < 300; number++)
        {
            deliveries.AddMessages(Delivery(number, TestClock.Noon), isFresh: false);
        }

        Assert.Null(deliveries.FindApplied(Delivery(0, TestClock.Noon)));
        Assert.Equal([true], deliveries.FindApplied(Delivery(299, TestClock.Noon))!);
    }

    [Fact]
    public void MarkOf_NoToken_IsNone()
    {
        RecentDeliveries deliveries = new();
        SequentialItem<DeviceMessage>[] items = [new(Of(Reading(1, PinState.High)), null!)];

        Assert.Null(RecentDeliveries.MarkOf(items));
        Assert.Null(RecentDeliveries.MarkOf([]));
        deliveries.Add(null);
        Assert.False(deliveries.IsRepeated(null));
    }

    [Fact]
    public void MarkOf_OneDelivery_StaysWhatItIs() =>
        Assert.Equal(RecentDeliveries.MarkOf(Delivery(1, TestClock.Noon)), RecentDeliveries.MarkOf(Delivery(1, TestClock.Noon.ToOffset(TimeSpan.FromHours(2)))));

    private static SequentialItem<DeviceMessage>[] Delivery(long number, params DateTimeOffset[] times) =>
        [.. times.Select(time => new SequentialItem<DeviceMessage>(new DeviceUpdate(time, false, [Reading(1, PinState.High)]), new EventSequenceTokenV2(number)))];
}
