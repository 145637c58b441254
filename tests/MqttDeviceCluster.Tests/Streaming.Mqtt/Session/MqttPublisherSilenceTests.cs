using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Storage;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

/// <summary>A broker that stops to read, a connection that is lost, a process that was paused: what is written when, on a clock that the test moves.</summary>
public sealed class MqttPublisherSilenceTests : IAsyncDisposable
{
    private const byte PublishHeader = 0x32;
    private const byte PublishAtMostOnceHeader = 0x30;
    private const byte PingHeader = 0xC0;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Half = TimeSpan.FromMilliseconds(500);

    private readonly FakeTimeProvider _time = new(TestClock.Noon);
    private readonly RawBroker _broker = new();
    private readonly LogCollector _logs = new();
    private FakeFence? _fence;
    private MqttPublisher? _publisher;

    [Fact]
    public async Task PublishAsync_BrokerSilent_WritesNothingAndFailsAfterTheWait()
    {
        using var connection = await ConnectAsync(TimeSpan.FromSeconds(1));
        var first = Publish("first");
        await connection.ReadAsync(PublishHeader);
        await BecomeSilentAsync(connection);

        var second = Publish("second");
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        _time.Advance(TimeSpan.FromSeconds(1.05));

        Assert.Equal((MqttPublishOutcome.NotSent, "the broker has not answered for 2.1 s"), await ResultAsync(second));
        Assert.Equal(
            $"The broker {_broker.ConnectionString} has not answered for 1.0 s: nothing more is published on this connection until it does.", Assert.Single(_logs.At(LogLevel.Warning)));
        await connection.AnswerPublishAsync(1);
        Assert.Equal(MqttPublishOutcome.Accepted, (await ResultAsync(first)).Outcome);
        _ = Publish("third");
        Assert.Equal("third", Payload(await connection.ReadAsync(PublishHeader)));
    }

    [Fact]
    public async Task PublishAsync_NoWaitWanted_FailsAtOnceWhileTheBrokerIsSilent()
    {
        using var connection = await ConnectAsync(TimeSpan.Zero);
        _ = Publish("first");
        await connection.ReadAsync(PublishHeader);
        await BecomeSilentAsync(connection);

        var second = Publish("second");

        Assert.True(second.IsCompleted);
        Assert.Equal((MqttPublishOutcome.NotSent, "the broker has not answered for 1 s"), await ResultAsync(second));
    }

    [Fact]
    public async Task PublishAsync_AfterAnIdleTime_IsNoSilence()
    {
        using var connection = await ConnectAsync(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(20));
        await connection.ReadAsync(PingHeader);

        _ = Publish("1");
        _ = Publish("2");
        _ = Publish("3");

        Assert.Equal(["1", "2", "3"], [
            Payload(await connection.ReadAsync(PublishHeader)), Payload(await connection.ReadAsync(PublishHeader)), Payload(await connection.ReadAsync(PublishHeader))]);
    }

    [Fact]
    public async Task PublishAsync_BrokerSaysAnything_GoesOn()
    {
        using var connection = await ConnectAsync(TimeSpan.FromMinutes(1));
        _ = Publish("first");
        await connection.ReadAsync(PublishHeader);
        await BecomeSilentAsync(connection);
        _ = Publish("second");
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));

        await connection.SendAsync(0xD0, []);

        Assert.Equal("second", Payload(await TickWhileAsync(connection.ReadAsync(PublishHeader))));
    }

    [Fact]
    public async Task PublishAsync_OneAnswerNeverComesAndTheBrokerLives_GoesOn()
    {
        using var connection = await ConnectAsync(TimeSpan.FromMinutes(1));
        _ = Publish("never answered");
        await connection.ReadAsync(PublishHeader);
        for (var i = 0; i < 5; i++)
        {
            // Asked half-way through the time, and answered.
            await TickWhileAsync(connection.ReadAsync(PingHeader));
            await connection.SendAsync(0xD0, []);
        }

        _ = Publish("next");
        Assert.Equal("next", Payload(await TickWhileAsync(connection.ReadAsync(PublishHeader))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PublishAsync_ExpiredOrWithdrawnInTheSilence_ResetsTheConnection(bool withdrawn)
    {
        using var connection = await ConnectAsync(TimeSpan.FromMinutes(1));
        using CancellationTokenSource withdraw = new();
        var written = Publish("first", withdrawn ? null : TimeSpan.FromSeconds(3), withdraw);
        await connection.ReadAsync(PublishHeader);
        await BecomeSilentAsync(connection);
        var waiting = Publish("second");
        if (withdrawn)
        {
            await withdraw.CancelAsync();
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }
        else
        {
            _time.Advance(TimeSpan.FromSeconds(2.05));
        }

        // Reset, not closed: what was on its way is gone.
        await connection.ReadResetAsync();
        Assert.Equal(MqttPublishOutcome.Unknown, (await ResultAsync(written)).Outcome);
        using var next = await TickWhileAsync(_broker.AcceptAsync(sessionPresent: false));
        Assert.Equal("second", Payload(await next.ReadAsync(PublishHeader)));
        await next.AnswerPublishAsync(1);
        Assert.Equal(MqttPublishOutcome.Accepted, (await ResultAsync(waiting)).Outcome);
    }

    [Fact]
    public async Task PublishAsync_AtMostOnceToASilentBroker_StopsAndIsReset()
    {
        using var connection = await ConnectAsync(TimeSpan.FromSeconds(1));
        var first = Publish("first", TimeSpan.FromSeconds(5), quality: MqttQualityOfService.AtMostOnce);
        await connection.ReadAsync(PublishAtMostOnceHeader);
        Assert.Equal(MqttPublishOutcome.Accepted, (await ResultAsync(first)).Outcome);
        await BecomeSilentAsync(connection);

        var second = Publish("second", TimeSpan.FromSeconds(5), quality: MqttQualityOfService.AtMostOnce);
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        _time.Advance(TimeSpan.FromSeconds(1.05));
        Assert.Equal((MqttPublishOutcome.NotSent, "the broker has not answered for 2.1 s"), await ResultAsync(second));
        _time.Advance(TimeSpan.FromSeconds(3));
        await connection.ReadResetAsync();
    }

    [Fact]
    public async Task PublishAsync_AtMostOnceToABrokerThatAnswersThePing_GoesOn()
    {
        using var connection = await ConnectAsync(TimeSpan.FromSeconds(1));
        _ = Publish("first", quality: MqttQualityOfService.AtMostOnce);
        await connection.ReadAsync(PublishAtMostOnceHeader);
        _time.Advance(Half);
        await connection.ReadAsync(PingHeader);
        await connection.SendAsync(0xD0, []);
        _ = await TickWhileAsync(Publish("again", quality: MqttQualityOfService.AtMostOnce));
        Assert.Equal("again", Payload(await connection.ReadAsync(PublishAtMostOnceHeader)));
    }

    [Fact]
    public async Task PublishAsync_ExpiredOrWithdrawnInTheLastMoment_IsNotWritten()
    {
        // The clock stands still: no sweep runs, and the writer has to see it.
        using var connection = await ConnectAsync(TimeSpan.FromMinutes(1), 0x21, 0, 1);
        using CancellationTokenSource withdraw = new();
        _ = Publish("first");
        var withdrawn = Publish("withdrawn", withdrawn: withdraw);
        var expired = Publish("expired", TimeSpan.Zero);
        _ = Publish("last");
        Assert.Equal("first", Payload(await connection.ReadAsync(PublishHeader)));
        await withdraw.CancelAsync();

        await connection.AnswerPublishAsync(1);

        Assert.Equal("last", Payload(await connection.ReadAsync(PublishHeader)));
        Assert.Equal((MqttPublishOutcome.NotSent, "it was withdrawn"), await ResultAsync(withdrawn));
        Assert.Equal((MqttPublishOutcome.NotSent, "it expired before it could be sent"), await ResultAsync(expired));
    }

    [Fact]
    public async Task PublishAsync_ExpiredOrWithdrawnWhileTheConnectionIsMadeAgain_IsNotWritten()
    {
        Task<MqttPublishResult> withdrawn, expired;
        using CancellationTokenSource withdraw = new();
        using (var connection = await ConnectAsync(TimeSpan.FromMinutes(1), 0x21, 0, 1))
        {
            _ = Publish("first");
            withdrawn = Publish("withdrawn", withdrawn: withdraw);
            expired = Publish("expired", TimeSpan.FromSeconds(5));
            _ = Publish("last");
            Assert.Equal("first", Payload(await connection.ReadAsync(PublishHeader)));
        }

        // The broker takes the connection and has not answered CONNECT yet.
        using var next = await TickWhileAsync(_broker.AcceptAsync());
        await withdraw.CancelAsync();
        _time.Advance(TimeSpan.FromSeconds(5));
        await next.SendAsync(0x20, [0, 0, 3, 0x21, 0, 1]);

        Assert.Equal("last", Payload(await next.ReadAsync(PublishHeader)));
        Assert.Equal((MqttPublishOutcome.NotSent, "it was withdrawn"), await ResultAsync(withdrawn));
        Assert.Equal((MqttPublishOutcome.NotSent, "it expired before it could be sent"), await ResultAsync(expired));
    }

    [Fact]
    public async Task PublishAsync_PausedWhileItWaited_IsNeverWritten()
    {
        _fence = new(_time);
        using var connection = await ConnectAsync(TimeSpan.FromMinutes(1), 0x21, 0, 1);
        var first = Publish("first");
        var before = Publish("before");
        Assert.Equal("first", Payload(await connection.ReadAsync(PublishHeader)));
        _fence.CloseQuietly();
        _fence.Open();
        _time.Advance(TimeSpan.FromTicks(1));
        var after = Publish("after");

        await connection.AnswerPublishAsync(1);

        Assert.Equal("after", Payload(await connection.ReadAsync(PublishHeader)));
        Assert.Equal((MqttPublishOutcome.Fenced, "it was paused"), await ResultAsync(before));
        Assert.Equal(MqttPublishOutcome.Accepted, (await ResultAsync(first)).Outcome);
        _fence.CloseQuietly();
        Assert.Equal((MqttPublishOutcome.Fenced, "it was paused"), await ResultAsync(TickWhileAsync(Publish("while closed"))));
        Assert.False(after.IsCompleted);
    }

    public async ValueTask DisposeAsync()
    {
        _broker.Dispose();
        if (_publisher is not null)
        {
            await _publisher.DisposeAsync();
        }
    }

    // Topic "t", packet id if there is one, properties.
    private static string Payload(RawPacket packet)
    {
        var properties = packet.Header == PublishHeader ? 5 : 3;
        return Encoding.UTF8.GetString(packet.Body.AsSpan(properties + 1 + packet.Body[properties]));
    }

    private static async Task<(MqttPublishOutcome Outcome, string Reason)> ResultAsync(Task<MqttPublishResult> publish)
    {
        var result = await publish.WaitAsync(Bound);
        return (result.Outcome, result.Reason);
    }

    // The ping is read, and not answered.
    private async Task BecomeSilentAsync(RawConnection connection)
    {
        _time.Advance(Half);
        await connection.ReadAsync(PingHeader);
        _time.Advance(Half);
    }

    // What another thread does next may need the clock to go on.
    private async Task<T> TickWhileAsync<T>(Task<T> task)
    {
        while (await Task.WhenAny(task, Task.Delay(5, TestContext.Current.CancellationToken)) != task)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }

        return await task;
    }

    private Task<MqttPublishResult> Publish(
        string payload,
        TimeSpan? expiresIn = null,
        CancellationTokenSource? withdrawn = null,
        MqttQualityOfService quality = MqttQualityOfService.AtLeastOnce) =>
        _publisher!.PublishAsync("t", new MqttOutgoingMessage
        {
            Payload = Encoding.UTF8.GetBytes(payload),
            QualityOfService = quality,
            ExpiresAt = _time.GetUtcNow() + expiresIn,
            Withdrawn = withdrawn?.Token ?? CancellationToken.None,
        });

    private async Task<RawConnection> ConnectAsync(TimeSpan connectWait, params byte[] properties)
    {
        MqttStreamOptions options = new() { ConnectionString = _broker.ConnectionString, PublishConnectWait = connectWait };
        _publisher = new MqttPublisher(options, "house", TestMetrics.Create(), _logs, _time, fence: _fence);
        TaskCompletionSource online = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _publisher.StateChanged += () =>
        {
            if (_publisher.State == MqttConnectionState.Online)
            {
                online.TrySetResult();
            }
        };
        _publisher.Start();
        var connection = await _broker.AcceptAsync(sessionPresent: false, properties);
        await online.Task.WaitAsync(Bound);
        return connection;
    }
}
