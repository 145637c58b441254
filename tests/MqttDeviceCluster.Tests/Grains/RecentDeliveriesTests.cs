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
