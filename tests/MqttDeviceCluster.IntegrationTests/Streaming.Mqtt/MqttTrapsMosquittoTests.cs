using System.Diagnostics;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Streaming.Mqtt;

/// <summary>What has bitten others, on a real broker.</summary>
public sealed class MqttTrapsMosquittoTests : MosquittoConnections
{
    [Fact]
    public async Task Session_Resumed_IsNotSentTheRetainedMessagesAgainAndANewOneIs()
    {
        await using var broker = await MosquittoBroker.StartAsync("persistence false");
        var publisher = StartPublisher(broker);
        Assert.True((await publisher.PublishAsync("in/kept", new MqttOutgoingMessage { Payload = "1"u8.ToArray(), Retain = true })).IsAccepted);
        var resumed = await ReceiveAsync(sessionPresent: false);
        Assert.Equal([(1, true), (2, false)], resumed);

        resumed = await ReceiveAsync(sessionPresent: true);
        Assert.Equal([(2, false)], resumed);

        // The broker forgets everything: what it kept, and the session.
        await broker.RestartAsync();
        await WaitForAsync(publisher, MqttConnectionState.Online);
        Assert.True((await publisher.PublishAsync("in/kept", new MqttOutgoingMessage { Payload = "3"u8.ToArray(), Retain = true })).IsAccepted);
        Assert.Equal([(3, true), (2, false)], await ReceiveAsync(sessionPresent: false));

        // What comes up to a message that is sent when the session is online, and so after anything that was retained.
        async Task<List<(int, bool)>> ReceiveAsync(bool sessionPresent)
        {
            Sink sink = new();
            var session = StartSession(broker, sink);
            await WaitForAsync(session, MqttConnectionState.Online);
            await publisher.PublishAsync("in/a", Message(2));
            Assert.Equal((1L, sessionPresent), await sink.NextAsync<(long, bool)>());
            List<(int, bool)> received = [];
            do
            {
                var delivery = await sink.NextDeliveryAsync();
                received.Add((Number(delivery), delivery.Message.Retain));
                delivery.Complete();
            }
            while (received[^1].Item1 != 2);
            await session.StopAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
            return received;
        }
    }

    [Fact]
    public async Task ReceiveMaximum_OfFiveOnBothSides_CarriesAllInOrder()
    {
        // mosquitto says so to its publishers, and keeps to it itself.
        await using var broker = await MosquittoBroker.StartAsync("max_inflight_messages 5");
        Sink sink = new();
        var session = StartSession(broker, sink, options => options.ReceiveMaximum = 5);
        await WaitForAsync(session, MqttConnectionState.Online);
        var publisher = StartPublisher(broker);
        var publishes = Enumerable.Range(0, 2000).Select(i => publisher.PublishAsync("in/a", Message(i))).ToList();

        await sink.NextAsync<(long, bool)>();
        Queue<MqttDelivery> held = [];
        for (var i = 0; i < 2000; i++)
        {
            // The window is filled before the first is finished: with one more held than allowed nothing would come.
            var delivery = await sink.NextAsync<MqttDelivery>();
            Assert.Equal(i, Number(delivery));
            held.Enqueue(delivery);
            if (held.Count == 5)
            {
                held.Dequeue().Complete();
            }
        }

        var results = await Task.WhenAll(publishes).WaitAsync(Bound, TestContext.Current.CancellationToken);
        Assert.All(results, result => Assert.Equal(MqttPublishOutcome.Accepted, result.Outcome));
    }

    [Fact]
    public async Task Publish_GivenUpInTheMiddleOfTheWrite_TheNextOnesArrive()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Sink sink = new();
        await WaitForAsync(StartSession(broker, sink), MqttConnectionState.Online);
        var publisher = StartPublisher(broker, static options => options.PublishStallTime = TimeSpan.FromMinutes(1));
        await WaitForAsync(publisher, MqttConnectionState.Online);
        var payload = new byte[32 * 1024 * 1024];
        Random.Shared.NextBytes(payload);
        using CancellationTokenSource withdrawn = new();

        broker.Suspend();
        var given = publisher.PublishAsync("in/big", new MqttOutgoingMessage
        {
            Payload = payload,
            ExpiresAt = TimeProvider.System.GetUtcNow().AddMilliseconds(300),
            Withdrawn = withdrawn.Token,
        });
        await withdrawn.CancelAsync();
        Assert.Equal(MqttPublishOutcome.Unknown, (await given).Outcome);
        broker.Resume();
        for (var i = 0; i < 10; i++)
        {
            Assert.True((await publisher.PublishAsync("in/a", Message(i)).WaitAsync(Bound, TestContext.Current.CancellationToken)).IsAccepted);
        }

        // It expires in a second: the broker may have given up on it too.
        var delivery = await sink.NextDeliveryAsync();
        if (delivery.Message.Topic == "in/big")
        {
            Assert.True(delivery.Message.Payload.Span.SequenceEqual(payload), "The message is not what was sent.");
            delivery = await sink.NextDeliveryAsync();
        }

        Assert.Equal(0, Number(delivery));
        for (var i = 1; i < 10; i++)
        {
            Assert.Equal(i, Number(await sink.NextDeliveryAsync()));
        }
    }

    [Fact]
    public async Task Publish_LargerThanTheBrokerTakes_IsRefusedAndCostsNobodyElse()
    {
        await using var broker = await MosquittoBroker.StartAsync("max_packet_size 2000");
        Sink sink = new();
        var session = StartSession(broker, sink);
        await WaitForAsync(session, MqttConnectionState.Online);
        var publisher = StartPublisher(broker);
        await WaitForAsync(publisher, MqttConnectionState.Online);
        var since = publisher.OnlineSince;

        var small = publisher.PublishAsync("in/a", Message(1));
        var large = publisher.PublishAsync("in/a", new MqttOutgoingMessage { Payload = new byte[2000] });
        var next = publisher.PublishAsync("in/a", Message(2));

        Assert.Equal(new MqttPublishResult(MqttPublishOutcome.Refused, 0x95, "it is larger than the 2000 bytes that the broker takes"), await large);
        Assert.True((await small).IsAccepted && (await next).IsAccepted);
        Assert.Equal(since, publisher.OnlineSince);
        Assert.Equal(1, Number(await sink.NextDeliveryAsync()));
        Assert.Equal(2, Number(await sink.NextDeliveryAsync()));
    }

    [Theory]
    [InlineData("in/a.b.c")]
    [InlineData("in/a b")]
    [InlineData("in/ ")]
    [InlineData("in/Tür ☃ 🚪")]
    [InlineData("in/$SYS")]
    public async Task Topic_BeyondLettersAndDigits_GoesThereAndBackAsItIs(string topic)
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Sink sink = new();
        await WaitForAsync(StartSession(broker, sink), MqttConnectionState.Online);

        Assert.Equal(MqttPublishOutcome.Accepted, (await StartPublisher(broker).PublishAsync(topic, Message(1))).Outcome);

        Assert.Equal(topic, (await sink.NextDeliveryAsync()).Message.Topic);
    }

    [Fact]
    public async Task Backlog_OfLargeMessages_ComesInASecondAndNotAHundred()
    {
        // With socket buffers of 8 KiB, MQTTnet's default, a receiver was seen to take 280 messages a second.
        const int Count = 20_000;
        await using var broker = await MosquittoBroker.StartAsync();
        Sink sink = new();
        var session = StartSession(broker, sink);
        await WaitForAsync(session, MqttConnectionState.Online);
        await session.StopAsync(TimeSpan.Zero, TestContext.Current.CancellationToken);
        var publisher = StartPublisher(broker, options => options.MaxPendingPublishes = Count);
        var payload = new byte[2000];
        await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => publisher.PublishAsync("in/a", new MqttOutgoingMessage { Payload = payload })));

        var started = Stopwatch.GetTimestamp();
        Sink second = new();
        StartSession(broker, second);
        for (var i = 0; i < Count; i++)
        {
            (await second.NextDeliveryAsync()).Complete();
        }

        // Half a second on an idle machine of two cores.
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0, 20);
    }
}
