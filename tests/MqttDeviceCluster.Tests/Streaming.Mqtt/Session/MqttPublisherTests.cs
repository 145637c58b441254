using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class MqttPublisherTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    private readonly RawBroker _broker = new();
    private MqttPublisher? _publisher;

    [Theory]
    [InlineData(0x00, MqttPublishOutcome.Accepted, "accepted")]
    [InlineData(0x10, MqttPublishOutcome.NoMatchingSubscribers, "no matching subscribers")]
    [InlineData(0x87, MqttPublishOutcome.Refused, "not authorized")]
    [InlineData(0x97, MqttPublishOutcome.Refused, "quota exceeded")]
    public async Task PublishAsync_Answered_GivesTheBrokersReason(byte code, MqttPublishOutcome outcome, string reason)
    {
        using var connection = await ConnectAsync();
        var publish = _publisher!.PublishAsync("t", Message("x"));
        var packet = await connection.ReadAsync(0x32);
        Assert.Equal([0, 1, (byte)'t', 0, 1, 0, (byte)'x'], packet.Body);
        await connection.AnswerPublishAsync(1, code);

        Assert.Equal(new MqttPublishResult(outcome, code, reason), await ResultAsync(publish));
    }

    [Fact]
    public async Task PublishAsync_Connect_IsCleanAndItsOwn()
    {
        using var connection = await ConnectAsync();

        var connect = connection.Connect.Body;
        Assert.Equal(0x02, connect[7] & 0x02);
        Assert.Equal(-1, connect.AsSpan(11, connect[10]).IndexOf((byte)0x11));
        Assert.Matches("^house-pub-[0-9a-f]{8}$", _publisher!.ClientId);
    }

    [Fact]
    public async Task PublishAsync_MoreThanTheBrokersReceiveMaximum_KeepsToItAndToTheOrder()
    {
        using var connection = await ConnectAsync(0x21, 0, 5);
        var publishes = Enumerable.Range(0, 12).Select(i => _publisher!.PublishAsync("t", Message($"{i:00}"))).ToList();
        List<string> payloads = [];
        for (var i = 0; i < 5; i++)
        {
            payloads.Add(Payload(await connection.ReadAsync(0x32)));
        }

        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        for (ushort id = 1; id <= 5; id++)
        {
            await connection.AnswerPublishAsync(id);
        }

        for (var i = 5; i < 12; i++)
        {
            var packet = await connection.ReadAsync(0x32);
            payloads.Add(Payload(packet));
            await connection.AnswerPublishAsync((ushort)((packet.Body[3] << 8) | packet.Body[4]));
        }

        Assert.All(await Task.WhenAll(publishes).WaitAsync(Bound, TestContext.Current.CancellationToken), result => Assert.True(result.IsAccepted));
        Assert.Equal(Enumerable.Range(0, 12).Select(i => $"{i:00}"), payloads);
    }

    [Theory]
    [InlineData(4.7, 4)]
    [InlineData(0.9, 1)]
    public async Task PublishAsync_Expires_SendsWholeSecondsLeft(double left, byte seconds)
    {
        using var connection = await ConnectAsync();
        _ = _publisher!.PublishAsync("t", Message("x", expiresIn: left));

        Assert.Equal([0, 1, (byte)'t', 0, 1, 5, 0x02, 0, 0, 0, seconds, (byte)'x'], (await connection.ReadAsync(0x32)).Body);
    }

    [Fact]
    public async Task PublishAsync_ExpiredOrWithdrawnWhileTheWindowWasFull_IsNeverWritten()
    {
        using var connection = await ConnectAsync(0x21, 0, 1);
        using CancellationTokenSource withdrawn = new();
        var first = _publisher!.PublishAsync("t", Message("first"));
        var expiring = _publisher.PublishAsync("t", Message("expiring", expiresIn: 0.1));
        var taken = _publisher.PublishAsync("t", Message("withdrawn", withdrawn: withdrawn));
        var last = _publisher.PublishAsync("t", Message("last"));
        Assert.Equal("first", Payload(await connection.ReadAsync(0x32)));
        await withdrawn.CancelAsync();

        Assert.Equal((MqttPublishOutcome.NotSent, "it expired before it could be sent"), Short(await ResultAsync(expiring)));
        Assert.Equal((MqttPublishOutcome.NotSent, "it was withdrawn"), Short(await ResultAsync(taken)));
        await connection.AnswerPublishAsync(1);
        Assert.True((await ResultAsync(first)).IsAccepted);
        Assert.Equal("last", Payload(await connection.ReadAsync(0x32)));
        await connection.AnswerPublishAsync(1);
        Assert.True((await ResultAsync(last)).IsAccepted);
    }

    [Fact]
    public async Task PublishAsync_NeverAnswered_IsUnknownAtItsExpiryAndKeepsItsPlace()
    {
        using var connection = await ConnectAsync(0x21, 0, 1);
        var lost = _publisher!.PublishAsync("t", Message("lost", expiresIn: 0.2));
        await connection.ReadAsync(0x32);

        Assert.Equal(MqttPublishOutcome.Unknown, (await ResultAsync(lost)).Outcome);
        var next = _publisher.PublishAsync("t", Message("next"));
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        await connection.AnswerPublishAsync(1);
        Assert.Equal("next", Payload(await connection.ReadAsync(0x32)));
        await connection.AnswerPublishAsync(1);
        Assert.True((await ResultAsync(next)).IsAccepted);
    }

    [Fact]
    public async Task PublishAsync_ConnectionLostAfterTheWrite_IsUnknownAndNotSentAgain()
    {
        Task<MqttPublishResult> lost;
        using (var connection = await ConnectAsync())
        {
            lost = _publisher!.PublishAsync("t", Message("once"));
            await connection.ReadAsync(0x32);
        }

        Assert.Equal(MqttPublishOutcome.Unknown, (await ResultAsync(lost)).Outcome);
        var second = _publisher.PublishAsync("t", Message("second"));
        using var next = await _broker.AcceptAsync(sessionPresent: false);
        Assert.Equal("second", Payload(await next.ReadAsync(0x32)));
        await next.AnswerPublishAsync(1);
        Assert.True((await ResultAsync(second)).IsAccepted);
        Assert.Null(await next.TryReadAsync(TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public async Task PublishAsync_WaitingInLineWhenTheConnectionEnds_IsSentOnTheNext()
    {
        Task<MqttPublishResult> waiting;
        using (var connection = await ConnectAsync(0x21, 0, 1))
        {
            _ = _publisher!.PublishAsync("t", Message("first"));
            waiting = _publisher.PublishAsync("t", Message("waiting"));
            Assert.Equal("first", Payload(await connection.ReadAsync(0x32)));
        }

        using var next = await _broker.AcceptAsync(sessionPresent: false);
        Assert.Equal("waiting", Payload(await next.ReadAsync(0x32)));
        await next.AnswerPublishAsync(1);
        Assert.True((await ResultAsync(waiting)).IsAccepted);
    }

    [Fact]
    public async Task PublishAsync_NoConnection_IsNotSentAfterTheWait()
    {
        _broker.Dispose();
        Start(options => options.PublishConnectWait = TimeSpan.FromMilliseconds(200));
        var started = Stopwatch.GetTimestamp();

        var result = await ResultAsync(_publisher!.PublishAsync("t", Message("x")));

        Assert.Equal((MqttPublishOutcome.NotSent, "there is no connection to the broker"), Short(result));
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 190, 5000);
    }

    [Fact]
    public async Task PublishAsync_TooManyWaiting_IsNotSentAtOnce()
    {
        _broker.Dispose();
        Start(options => options.MaxPendingPublishes = 2);
        _ = _publisher!.PublishAsync("t", Message("1"));
        _ = _publisher.PublishAsync("t", Message("2"));

        var third = _publisher.PublishAsync("t", Message("3"));

        Assert.True(third.IsCompleted);
        Assert.Equal((MqttPublishOutcome.NotSent, "2 messages are waiting already"), Short(await third));
    }

    [Fact]
    public async Task PublishAsync_BrokersLimits_AreKeptBeforeSending()
    {
        // Maximum packet size 40, QoS 0 at most, no retain.
        using var connection = await ConnectAsync(0x27, 0, 0, 0, 40, 0x24, 0, 0x25, 0);

        var quality = await ResultAsync(_publisher!.PublishAsync("t", Message("x")));
        var retain = await ResultAsync(_publisher.PublishAsync("t", new MqttOutgoingMessage
        {
            Payload = default,
            QualityOfService = MqttQualityOfService.AtMostOnce,
            Retain = true,
        }));
        var size = await ResultAsync(_publisher.PublishAsync("t", new MqttOutgoingMessage
        {
            Payload = new byte[50],
            QualityOfService = MqttQualityOfService.AtMostOnce,
        }));

        Assert.Equal(new MqttPublishResult(MqttPublishOutcome.Refused, 0x9B, "the broker takes QoS 0 at most"), quality);
        Assert.Equal(new MqttPublishResult(MqttPublishOutcome.Refused, 0x9A, "the broker keeps no retained messages"), retain);
        Assert.Equal(new MqttPublishResult(MqttPublishOutcome.Refused, 0x95, "it is larger than the 40 bytes that the broker takes"), size);
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public async Task PublishAsync_QoS0_IsAcceptedWhenWritten()
    {
        using var connection = await ConnectAsync();
        var result = await ResultAsync(_publisher!.PublishAsync(
            "t", new MqttOutgoingMessage { Payload = "x"u8.ToArray(), QualityOfService = MqttQualityOfService.AtMostOnce }));

        Assert.Equal(MqttPublishOutcome.Accepted, result.Outcome);
        Assert.Equal([0, 1, (byte)'t', 0, (byte)'x'], (await connection.ReadAsync(0x30)).Body);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/+/b")]
    [InlineData("a/#")]
    [InlineData("a\0b")]
    public async Task PublishAsync_TopicThatWouldCloseTheConnection_IsNotSent(string topic)
    {
        using var connection = await ConnectAsync();

        Assert.Equal(MqttPublishOutcome.NotSent, (await ResultAsync(_publisher!.PublishAsync(topic, Message("x")))).Outcome);
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(50)));
    }

    [Fact]
    public async Task PublishAsync_Properties_AreAllSentWithTheCallersTrace()
    {
        using var connection = await ConnectAsync();
        using Activity activity = new("caller");
        activity.SetIdFormat(ActivityIdFormat.W3C).Start();
        activity.TraceStateString = "a=b";
        _ = _publisher!.PublishAsync("t", new MqttOutgoingMessage
        {
            Payload = "x"u8.ToArray(),
            ContentType = "text/plain",
            ResponseTopic = "answer",
            CorrelationData = new byte[] { 1, 2, 3 },
            UserProperties = [new("deadline", "5")],
        });

        var body = Encoding.Latin1.GetString((await connection.ReadAsync(0x32)).Body);
        Assert.Contains("\x03\0\x0Atext/plain", body, StringComparison.Ordinal);
        Assert.Contains("\x08\0\x06" + "answer", body, StringComparison.Ordinal);
        Assert.Contains("\x09\0\x03\x01\x02\x03", body, StringComparison.Ordinal);
        Assert.Contains("\x26\0\x08" + "deadline\0\x01" + "5", body, StringComparison.Ordinal);
        Assert.Contains("traceparent\0\x37" + activity.Id, body, StringComparison.Ordinal);
        Assert.Contains("tracestate\0\x03" + "a=b", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PublishAsync_LargeMessagesFromManyThreads_ArriveWhole()
    {
        using var connection = await ConnectAsync();
        var payloads = Enumerable.Range(0, 100).Select(i => new string((char)('a' + (i % 26)), 100 + (i * 1717 % 100_000))).ToList();
        var publishes = Task.WhenAll(payloads.Select(payload => Task.Run(() => _publisher!.PublishAsync("t", Message(payload)))));

        List<string> received = [];
        for (var i = 0; i < payloads.Count; i++)
        {
            var packet = await connection.ReadAsync(0x32);
            received.Add(Payload(packet));
            await connection.AnswerPublishAsync((ushort)((packet.Body[3] << 8) | packet.Body[4]));
        }

        Assert.All(await publishes.WaitAsync(Bound, TestContext.Current.CancellationToken), result => Assert.True(result.IsAccepted));
        Assert.Equal(payloads.Order(StringComparer.Ordinal), received.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task StopAsync_UnderWay_WaitsForTheAnswerAndRefusesNewOnes()
    {
        using var connection = await ConnectAsync();
        var publish = _publisher!.PublishAsync("t", Message("x"));
        await connection.ReadAsync(0x32);

        var stop = _publisher.StopAsync(Bound, TestContext.Current.CancellationToken);
        Assert.Equal((MqttPublishOutcome.NotSent, "the publisher was stopped"), Short(await ResultAsync(_publisher.PublishAsync("t", Message("y")))));
        await connection.AnswerPublishAsync(1);
        await connection.ReadAsync(0xE0);
        connection.Dispose();

        await stop.WaitAsync(Bound, TestContext.Current.CancellationToken);
        Assert.True((await ResultAsync(publish)).IsAccepted);
    }

    [Fact]
    public async Task StopAsync_NeverAnswered_EndsAllAfterTheDrainTime()
    {
        using var connection = await ConnectAsync(0x21, 0, 1);
        var written = _publisher!.PublishAsync("t", Message("x"));
        var waiting = _publisher.PublishAsync("t", Message("y"));
        await connection.ReadAsync(0x32);

        var stop = _publisher.StopAsync(TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken);
        await connection.ReadAsync(0xE0);
        connection.Dispose();
        await stop.WaitAsync(Bound, TestContext.Current.CancellationToken);

        Assert.Equal(MqttPublishOutcome.Unknown, (await ResultAsync(written)).Outcome);
        Assert.Equal(MqttPublishOutcome.NotSent, (await ResultAsync(waiting)).Outcome);
    }

    public async ValueTask DisposeAsync()
    {
        _broker.Dispose();
        if (_publisher is not null)
        {
            await _publisher.DisposeAsync();
        }
    }

    private static MqttOutgoingMessage Message(string payload, double? expiresIn = null, CancellationTokenSource? withdrawn = null) => new()
    {
        Payload = Encoding.UTF8.GetBytes(payload),
        ExpiresAt = expiresIn is { } seconds ? TimeProvider.System.GetUtcNow().AddSeconds(seconds) : null,
        Withdrawn = withdrawn?.Token ?? CancellationToken.None,
    };

    // Topic "t", packet id, no properties.
    private static string Payload(RawPacket packet) => Encoding.UTF8.GetString(packet.Body.AsSpan(6));

    private static (MqttPublishOutcome Outcome, string Reason) Short(MqttPublishResult result) => (result.Outcome, result.Reason);

    private static Task<MqttPublishResult> ResultAsync(Task<MqttPublishResult> publish) => publish.WaitAsync(Bound);

    private async Task<RawConnection> ConnectAsync(params byte[] properties)
    {
        Start();
        var connection = await _broker.AcceptAsync(sessionPresent: false, properties);
        return connection;
    }

    private void Start(Action<MqttStreamOptions>? configure = null)
    {
        MqttStreamOptions options = new() { ConnectionString = _broker.ConnectionString, PublishConnectWait = TimeSpan.FromSeconds(5) };
        configure?.Invoke(options);
        _publisher = new MqttPublisher(options, "house", TestMetrics.Create(), NullLogger.Instance, TimeProvider.System);
        _publisher.Start();
    }
}
