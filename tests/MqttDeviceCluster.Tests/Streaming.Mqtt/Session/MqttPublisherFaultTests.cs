using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

/// <summary>What a publisher does with a broker that stalls, overruns or leaves in the middle.</summary>
public sealed class MqttPublisherFaultTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    private readonly RawBroker _broker = new();
    private readonly MqttPublisher _publisher;

    public MqttPublisherFaultTests()
    {
        MqttStreamOptions options = new() { ConnectionString = _broker.ConnectionString, PublishConnectWait = TimeSpan.FromSeconds(5), PublishStallTime = TimeSpan.FromMinutes(1) };
        _publisher = new MqttPublisher(options, "house", TestMetrics.Create(), NullLogger.Instance, TimeProvider.System);
        _publisher.Start();
    }

    [Fact]
    public async Task PublishAsync_GivenUpInTheMiddleOfTheWrite_LeavesTheBytesWhole()
    {
        // More than the socket buffers of both sides hold: most of it is still to be written when its caller gives up.
        var payload = new byte[32 * 1024 * 1024];
        Random.Shared.NextBytes(payload);
        using CancellationTokenSource withdrawn = new();
        using var connection = await _broker.AcceptAsync(sessionPresent: false);
        var given = _publisher.PublishAsync("t", new MqttOutgoingMessage
        {
            Payload = payload,
            ExpiresAt = TimeProvider.System.GetUtcNow().AddMilliseconds(300),
            Withdrawn = withdrawn.Token,
        });
        await connection.WaitForDataAsync();
        await withdrawn.CancelAsync();
        Assert.Equal(MqttPublishOutcome.Unknown, (await given.WaitAsync(Bound, TestContext.Current.CancellationToken)).Outcome);
        var next = _publisher.PublishAsync("t", Message("next"));

        var packet = await connection.ReadAsync(0x32);
        Assert.True(packet.Body.AsSpan(packet.Body.Length - payload.Length).SequenceEqual(payload), "The message is not what was sent.");
        await connection.AnswerPublishAsync(PacketId(packet));
        packet = await connection.ReadAsync(0x32);
        Assert.Equal("next", Payload(packet));
        await connection.AnswerPublishAsync(PacketId(packet));
        Assert.True((await next.WaitAsync(Bound, TestContext.Current.CancellationToken)).IsAccepted);
    }

    [Fact]
    public async Task PublishAsync_ManyToABrokerThatTakesFive_NeverUsesAnIdTwiceNorSendsASixth()
    {
        const int Count = 1000;
        using var connection = await _broker.AcceptAsync(sessionPresent: false, 0x21, 0, 5);
        var publishes = Enumerable.Range(0, Count).Select(i => _publisher.PublishAsync("t", Message($"{i}"))).ToList();
        Dictionary<ushort, int> underWay = [];
        for (var i = 0; i < Count; i++)
        {
            if (underWay.Count == 5)
            {
                if (i % 50 == 0)
                {
                    Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(20)));
                }

                // In any order, and each with a reason of its own, so that a result that went to another message shows.
                var id = underWay.Keys.ElementAt(Random.Shared.Next(5));
                await connection.AnswerPublishAsync(id, Reason(underWay[id]));
                underWay.Remove(id);
            }

            var packet = await connection.ReadAsync(0x32);
            Assert.InRange(PacketId(packet), 1, 5);
            Assert.True(underWay.TryAdd(PacketId(packet), i), $"Packet id {PacketId(packet)} is in use.");
            Assert.Equal($"{i}", Payload(packet));
        }

        foreach (var (id, i) in underWay)
        {
            await connection.AnswerPublishAsync(id, Reason(i));
        }

        var results = await Task.WhenAll(publishes).WaitAsync(Bound, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, Count).Select(Reason), results.Select(result => result.ReasonCode));

        static byte Reason(int i) => (i % 3) switch { 0 => 0x00, 1 => 0x10, _ => 0x97 };
    }

    [Fact]
    public async Task PublishAsync_BrokerSaysWhyItLeaves_ResultAndProblemSayIt()
    {
        Task<MqttPublishResult> lost;
        using (var connection = await _broker.AcceptAsync(sessionPresent: false))
        {
            lost = _publisher.PublishAsync("t", Message("lost"));
            await connection.ReadAsync(0x32);
            await connection.SendAsync(0xE0, [0x8B, 0]);
            var result = await lost.WaitAsync(Bound, TestContext.Current.CancellationToken);
            Assert.Equal(MqttPublishOutcome.Unknown, result.Outcome);
            Assert.Contains("ServerShuttingDown (0x8B)", result.Reason, StringComparison.Ordinal);
        }

        using var next = await _broker.AcceptAsync(sessionPresent: false);
        var publish = _publisher.PublishAsync("t", Message("next"));
        await next.AnswerPublishAsync(PacketId(await next.ReadAsync(0x32)));
        Assert.True((await publish.WaitAsync(Bound, TestContext.Current.CancellationToken)).IsAccepted);
    }

    [Fact]
    public async Task PublishAsync_AnswersThatNobodyAskedFor_ChangeNothing()
    {
        using var connection = await _broker.AcceptAsync(sessionPresent: false, 0x21, 0, 1);
        var first = _publisher.PublishAsync("t", Message("first"));
        var second = _publisher.PublishAsync("t", Message("second"));
        await connection.ReadAsync(0x32);
        await connection.AnswerPublishAsync(2);
        await connection.AnswerPublishAsync(ushort.MaxValue);
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        Assert.False(first.IsCompleted);

        await connection.AnswerPublishAsync(1);
        Assert.Equal("second", Payload(await connection.ReadAsync(0x32)));
        Assert.True((await first.WaitAsync(Bound, TestContext.Current.CancellationToken)).IsAccepted);
        Assert.False(second.IsCompleted);
    }

    [Theory]
    [InlineData("device/a.b.c/pin/set")]
    [InlineData("device/a b  c/pin/set")]
    [InlineData("device/Tür ☃ 🚪/pin/set")]
    public async Task PublishAsync_TopicBeyondAscii_IsWrittenAsItIs(string topic)
    {
        using var connection = await _broker.AcceptAsync(sessionPresent: false);
        _ = _publisher.PublishAsync(topic, Message("x"));

        var body = (await connection.ReadAsync(0x32)).Body;

        Assert.Equal(topic, Encoding.UTF8.GetString(body, 2, BinaryPrimitives.ReadUInt16BigEndian(body)));
    }

    public async ValueTask DisposeAsync()
    {
        _broker.Dispose();
        await _publisher.DisposeAsync();
    }

    private static MqttOutgoingMessage Message(string payload) => new() { Payload = Encoding.UTF8.GetBytes(payload) };

    // Topic "t", packet id, no properties.
    private static ushort PacketId(RawPacket packet) => BinaryPrimitives.ReadUInt16BigEndian(packet.Body.AsSpan(3));

    private static string Payload(RawPacket packet) => Encoding.UTF8.GetString(packet.Body.AsSpan(6));
}
