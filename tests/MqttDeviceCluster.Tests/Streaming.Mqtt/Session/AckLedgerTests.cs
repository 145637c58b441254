using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class AckLedgerTests : IAcknowledgementTarget
{
    private readonly FakeTimeProvider _time = new();
    private readonly ConcurrentQueue<ushort> _sent = new();

    void IAcknowledgementTarget.Acknowledge(IReadOnlyList<ushort> packetIds)
    {
        foreach (var id in packetIds)
        {
            _sent.Enqueue(id);
        }
    }

    [Fact]
    public void Complete_OutOfOrder_AcknowledgesInOrderOfArrival()
    {
        using AckLedger ledger = new(1, this, null, _time);
        var first = Add(ledger, 7);
        var second = Add(ledger, 3);
        var third = Add(ledger, 9);

        third.Complete();
        second.Complete();
        Assert.Empty(_sent);
        Assert.Equal(3, ledger.Unacknowledged);
        first.Complete();

        Assert.Equal([7, 3, 9], Sent);
        Assert.Equal(0, ledger.Unacknowledged);
    }

    [Fact]
    public void Complete_Twice_AcknowledgesOnce()
    {
        using AckLedger ledger = new(1, this, null, _time);
        var delivery = Add(ledger, 1);

        delivery.Complete();
        delivery.Complete();

        Assert.Equal([1], Sent);
    }

    [Fact]
    public void TryAdd_IdNotAcknowledgedYet_IsRefusedUntilItIs()
    {
        using AckLedger ledger = new(1, this, null, _time);
        var delivery = Add(ledger, 1);

        Assert.False(ledger.TryAdd(Message, 1, out _));
        delivery.Complete();

        Assert.True(ledger.TryAdd(Message, 1, out _));
    }

    [Fact]
    public void TryAdd_AllIdsTwiceOverWhileOneIsHeld_MissesNone()
    {
        using AckLedger ledger = new(1, this, TimeSpan.FromMilliseconds(1), _time);
        var held = Add(ledger, 40_000);
        _time.Advance(TimeSpan.FromMilliseconds(10));

        // The broker goes round all its ids, and leaves out the one that is not acknowledged.
        var ids = Enumerable.Range(0, 2 * ushort.MaxValue).Select(i => (ushort)((i % ushort.MaxValue) + 1)).Where(id => id != 40_000).ToList();
        foreach (var id in ids)
        {
            Add(ledger, id).Complete();
        }

        Assert.Equal(ids.Select(id => (int)id), Sent);
        Assert.Equal(1, ledger.Unacknowledged);
        held.Complete();
        Assert.Equal(40_000, Sent.Last());
        Assert.Equal(0, ledger.Unacknowledged);
    }

    [Fact]
    public void Complete_AfterTheConnectionEnded_DoesNothing()
    {
        AckLedger ledger = new(1, this, null, _time);
        var delivery = Add(ledger, 1);

        ledger.Dispose();
        delivery.Complete();

        Assert.Empty(_sent);
        Assert.Equal(0, ledger.Unacknowledged);
    }

    [Fact]
    public void Complete_HeadUnfinishedForLong_IsOvertakenWhenAllowed()
    {
        using AckLedger ledger = new(1, this, TimeSpan.FromSeconds(1), _time);
        var slow = Add(ledger, 1);
        Add(ledger, 2).Complete();
        _time.Advance(TimeSpan.FromSeconds(0.9));
        var young = Add(ledger, 3);
        Add(ledger, 4).Complete();
        Assert.Empty(_sent);

        _time.Advance(TimeSpan.FromSeconds(0.3));
        Assert.Equal([2], Sent);

        // A young one still holds back those behind it, and the overtaken one is acknowledged by itself, once.
        slow.Complete();
        slow.Complete();
        Assert.Equal([2, 1], Sent);
        Assert.Equal(2, ledger.Unacknowledged);
        young.Complete();
        Assert.Equal([2, 1, 3, 4], Sent);
    }

    [Fact]
    public async Task DrainAsync_LastOneFinished_Ends()
    {
        using AckLedger ledger = new(1, this, null, _time);
        var delivery = Add(ledger, 1);
        var drained = ledger.DrainAsync();
        Assert.False(drained.IsCompleted);

        delivery.Complete();

        await drained.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Complete_FromManyThreads_AcknowledgesEachOnceInOrder()
    {
        using AckLedger ledger = new(1, this, null, _time);
        const int Count = 50_000;
        BlockingCollection<MqttDelivery> deliveries = [];
        var workers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            foreach (var delivery in deliveries.GetConsumingEnumerable(TestContext.Current.CancellationToken))
            {
                delivery.Complete();
            }
        })).ToArray();

        for (var i = 0; i < Count; i++)
        {
            deliveries.Add(Add(ledger, (ushort)((i % 60_000) + 1)), TestContext.Current.CancellationToken);
        }

        deliveries.CompleteAdding();
        await Task.WhenAll(workers).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await ledger.DrainAsync().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(Enumerable.Range(0, Count).Select(i => (i % 60_000) + 1), Sent);
    }

    private int[] Sent => [.. _sent.Select(id => (int)id)];

    private static MqttIncomingMessage Message => new() { Topic = "t", Payload = default };

    private static MqttDelivery Add(AckLedger ledger, ushort id)
    {
        Assert.True(ledger.TryAdd(Message, id, out var delivery));
        return delivery;
    }
}
