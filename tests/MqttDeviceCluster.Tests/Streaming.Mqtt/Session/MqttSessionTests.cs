using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using MqttDeviceCluster.Tests.Grains;
using MqttDeviceCluster.Tests.Storage;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class MqttSessionTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);
    private static readonly MqttReconnectTuning Quick = new() { FenceDelay = TimeSpan.FromMilliseconds(400), TakeBackDelay = TimeSpan.FromMilliseconds(50) };

    private readonly RawBroker _broker = new();
    private readonly RecordingSink _sink = new();
    private readonly LogCollector _logs = new();
    private FakeFence? _fence;
    private MqttSession? _session;

    [Fact]
    public async Task Start_Connect_AsksForAKeptSession()
    {
        Start(options => options.SessionExpiry = TimeSpan.FromHours(1));
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: false);

        var connect = connection.Connect.Body;
        Assert.Equal("MQTT", Encoding.UTF8.GetString(connect, 2, 4));
        Assert.Equal(5, connect[6]);
        Assert.Equal(0, connect[7] & 0x02);
        Assert.Equal(30, BinaryPrimitives.ReadUInt16BigEndian(connect.AsSpan(8)));
        var properties = connect.AsSpan(11, connect[10]);
        Assert.True(properties.IndexOf((byte[])[0x11, 0, 0, 0x0E, 0x10]) >= 0, "Session expiry of 3600 s is missing.");
        Assert.True(properties.IndexOf((byte[])[0x21, 0, 5]) >= 0, "Receive Maximum 5 is missing.");
        Assert.Equal(-1, properties.IndexOf((byte)0x22));

        // Retain handling 1, no retain as published, QoS 1.
        Assert.Equal(0x10 | 0x01, connection.Subscribe.Body[^1]);
        await WaitForAsync(MqttConnectionState.Online);
        Assert.Null(_session!.Problem);
    }

    [Fact]
    public async Task Start_NoBroker_ReturnsAndSaysWhyUntilItComes()
    {
        var connectionString = _broker.ConnectionString;
        _broker.Dispose();
        Start(options => options.ConnectionString = connectionString.Replace("//", "//user:s3cret@", StringComparison.Ordinal));

        await WaitForAsync(session => session.Problem is not null, "a problem");

        Assert.Equal(MqttConnectionState.Connecting, _session!.State);
        Assert.Contains($"No connection to {connectionString}: Connection refused", _session.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Delivery_QueuedBeforeSubAck_ComesAfterOnConnected()
    {
        Start();
        using var connection = await _broker.AcceptAsync(sessionPresent: true);
        await connection.PublishAsync(1, "t", "queued");

        Assert.Equal((1L, true), await _sink.NextAsync<(long, bool)>());
        var delivery = await _sink.NextDeliveryAsync();
        Assert.Equal("queued", Encoding.UTF8.GetString(delivery.Message.Payload.Span));
        Assert.Equal(1, delivery.Epoch);
    }

    [Fact]
    public async Task Complete_OutOfOrder_SendsPubAcksInOrder()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        List<MqttDelivery> deliveries = [];
        for (ushort id = 1; id <= 3; id++)
        {
            await connection.PublishAsync(id, "t", $"{id}");
            deliveries.Add(await _sink.NextDeliveryAsync());
        }

        deliveries[2].Complete();
        deliveries[1].Complete();
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        Assert.Equal(3, _session!.Unacknowledged);
        deliveries[0].Complete();

        Assert.Equal(1, await connection.ReadAcknowledgementAsync());
        Assert.Equal(2, await connection.ReadAcknowledgementAsync());
        Assert.Equal(3, await connection.ReadAcknowledgementAsync());
    }

    [Fact]
    public async Task Delivery_RepeatedOnTheSameConnection_IsDeliveredAndAcknowledgedOnce()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        await connection.PublishAsync(1, "t", "a");
        await connection.PublishAsync(1, "t", "a", duplicate: true);
        await connection.PublishAsync(2, "t", "b");

        var first = await _sink.NextDeliveryAsync();
        var second = await _sink.NextDeliveryAsync();
        Assert.Equal("b", Encoding.UTF8.GetString(second.Message.Payload.Span));
        first.Complete();
        second.Complete();

        Assert.Equal(1, await connection.ReadAcknowledgementAsync());
        Assert.Equal(2, await connection.ReadAcknowledgementAsync());
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public async Task Complete_AfterReconnect_DoesNotAcknowledgeTheNewMessageWithTheSameId()
    {
        Start();
        MqttDelivery stale;
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: false))
        {
            Assert.Equal((1L, false), await _sink.NextAsync<(long, bool)>());
            await connection.PublishAsync(1, "t", "old");
            stale = await _sink.NextDeliveryAsync();
        }

        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: false);
        Assert.Equal((2L, false), await _sink.NextAsync<(long, bool)>());
        await next.PublishAsync(1, "t", "new");
        var fresh = await _sink.NextDeliveryAsync();
        Assert.Equal(2, fresh.Epoch);

        stale.Complete();
        Assert.Null(await next.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        fresh.Complete();
        Assert.Equal(1, await next.ReadAcknowledgementAsync());
    }

    [Fact]
    public async Task Delivery_BeyondReceiveMaximum_WaitsInTheSocketUntilThereIsRoom()
    {
        // Half a second of silence would end it, were it not for who is the slow one.
        Start(options => options.KeepAlive = TimeSpan.FromSeconds(1));
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        for (ushort id = 1; id <= 100; id++)
        {
            await connection.PublishAsync(id, "t", "x");
        }

        // Five are allowed, and some more are forgiven; one beyond shows that the broker does not count.
        Queue<MqttDelivery> deliveries = [];
        for (var i = 0; i < 22; i++)
        {
            deliveries.Enqueue(await _sink.NextDeliveryAsync());
        }

        // Nothing tells that it does not read on: it gets longer than the time after which a silent broker is given up.
        await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        Assert.False(_sink.TryNext(out _));
        Assert.Equal((22, MqttConnectionState.Online), (_session!.Unacknowledged, _session.State));

        for (ushort id = 1; id <= 100; id++)
        {
            deliveries.Dequeue().Complete();
            Assert.Equal(id, await connection.ReadAcknowledgementAsync());
            if (id <= 78)
            {
                deliveries.Enqueue(await _sink.NextDeliveryAsync());
                Assert.InRange(_session.Unacknowledged, 0, 22);
            }
        }
    }

    [Fact]
    public async Task StopAsync_WhileNothingIsRead_Ends()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        for (ushort id = 1; id <= 30; id++)
        {
            await connection.PublishAsync(id, "t", "x");
        }

        for (var i = 0; i < 22; i++)
        {
            await _sink.NextDeliveryAsync();
        }

        await _session!.StopAsync(TimeSpan.Zero, TestContext.Current.CancellationToken).WaitAsync(Bound, TestContext.Current.CancellationToken);

        Assert.Equal(MqttConnectionState.Stopped, _session.State);
    }

    [Fact]
    public async Task Delivery_InPieces_IsPutTogether()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        foreach (var piece in RawConnection.PublishBytes(1, "t", new string('x', 300)).Chunk(7))
        {
            await connection.SendBytesAsync(piece);
            await Task.Yield();
        }

        Assert.Equal(300, (await _sink.NextDeliveryAsync()).Message.Payload.Length);
    }

    [Fact]
    public async Task Delivery_HalfAPacketThenClosed_IsNotDeliveredAndReconnects()
    {
        Start();
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true))
        {
            await _sink.NextAsync<(long, bool)>();
            await connection.SendBytesAsync(RawConnection.PublishBytes(1, "t", "abcdef")[..6]);
        }

        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        Assert.Equal((2L, true), await _sink.NextAsync<(long, bool)>());
    }

    [Fact]
    public async Task Online_AfterOneFailure_SaysSoInTheSingular()
    {
        Start();
        using (await _broker.AcceptSubscriberAsync(sessionPresent: true))
        {
            await _sink.NextAsync<(long, bool)>();
        }

        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        await WaitForAsync(MqttConnectionState.Online);

        Assert.Contains($" to {_broker.ConnectionString} is online again, after 1 failure.", _logs.At(LogLevel.Information).Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Delivery_Kept_IsNotOverwrittenByLaterOnes()
    {
        Start(options => options.ReceiveMaximum = ushort.MaxValue);
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        List<MqttDelivery> deliveries = [];
        for (ushort id = 1; id <= 50; id++)
        {
            await connection.PublishAsync(id, "t", $"payload {id}");
            deliveries.Add(await _sink.NextDeliveryAsync());
        }

        Assert.Equal(Enumerable.Range(1, 50).Select(id => $"payload {id}"), deliveries.Select(delivery => Encoding.UTF8.GetString(delivery.Message.Payload.Span)));
    }

    [Fact]
    public async Task Delivery_QoS0_NeedsNoAcknowledgement()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        await connection.PublishAsync(0, "t", "x", qualityOfService: 0);

        (await _sink.NextDeliveryAsync()).Complete();

        Assert.Equal(0, _session!.Unacknowledged);
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public async Task KeepAlive_ServersIsShorter_PingsAccordingly()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true, 0x13, 0, 1);

        await connection.ReadAsync(0xC0);
        await connection.SendAsync(0xD0, []);
        await connection.ReadAsync(0xC0);
    }

    [Fact]
    public async Task KeepAlive_BrokerSilent_ConnectsAnew()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true, 0x13, 0, 1);

        // The broker is there, and answers nothing: after one and a half seconds it is given up.
        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await WaitForAsync(MqttConnectionState.Online);
    }

    [Fact]
    public async Task TakenOver_WithReason_FencesAndTriesAgainLater()
    {
        Start();
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true))
        {
            await _sink.NextAsync<(long, bool)>();
            await connection.SendAsync(0xE0, [0x8E, 0]);
            Assert.Equal("fenced 1", await _sink.NextAsync<string>());
            Assert.Equal(MqttConnectionState.Fenced, _session!.State);
        }

        // Well below the shortest fence delay: nobody may connect yet.
        await Task.Delay(150, TestContext.Current.CancellationToken);
        Assert.False(_broker.IsConnectionPending);
        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        Assert.Equal((2L, true), await _sink.NextAsync<(long, bool)>());
    }

    [Fact]
    public async Task TakenOver_HostDoesNotKnowWhetherItMay_IsTakenBackOnlyOnceItDoes()
    {
        _fence = new(TimeProvider.System) { TakeBack = "the members cannot be read" };
        Start();
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true))
        {
            await _sink.NextAsync<(long, bool)>();
            await connection.SendAsync(0xE0, [0x8E, 0]);
            Assert.Equal("fenced 1", await _sink.NextAsync<string>());
        }

        await WaitForAsync(session => session.Problem?.Contains("is not taken back: the members cannot be read", StringComparison.Ordinal) == true, "a problem");
        Assert.Equal(MqttConnectionState.Fenced, _session!.State);
        Assert.False(_broker.IsConnectionPending);
        await Task.Delay(4 * Quick.TakeBackDelay, TestContext.Current.CancellationToken);
        Assert.False(_broker.IsConnectionPending);

        _fence.TakeBack = null;

        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        Assert.Equal((2L, true), await _sink.NextAsync<(long, bool)>());
    }

    [Fact]
    public async Task TakenOver_ClosedAgainAndAgainWithoutReason_FencesAfterThree()
    {
        Start();
        for (var i = 1L; i <= 3; i++)
        {
            using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
            Assert.Equal((i, true), await _sink.NextAsync<(long, bool)>());
        }

        Assert.Equal("fenced 3", await _sink.NextAsync<string>());
        Assert.Equal(MqttConnectionState.Fenced, _session!.State);
    }

    [Fact]
    public async Task Subscribe_Refused_IsAProblemAndTriedAgain()
    {
        Start(options => options.MaxReconnectDelay = TimeSpan.FromMilliseconds(200));
        using var connection = await _broker.AcceptAsync(sessionPresent: false);
        var first = await connection.ReadAsync(0x82);
        await connection.SendAsync(0x90, [first.Body[0], first.Body[1], 0, 0x87]);
        await WaitForAsync(session => session.Problem is not null, "a problem");
        Assert.Contains("refuses the subscription to 'device/+/update' (0x87)", _session!.Problem, StringComparison.Ordinal);
        Assert.NotEqual(MqttConnectionState.Online, _session.State);

        var second = await connection.ReadAsync(0x82);
        await connection.SendAsync(0x90, [second.Body[0], second.Body[1], 0, 1]);

        await WaitForAsync(MqttConnectionState.Online);
        Assert.Null(_session.Problem);
    }

    [Fact]
    public async Task Subscribe_OneOfSeveralRefused_ServesTheOthersAndAsksForThatOneAgain()
    {
        Start(options => options.MaxReconnectDelay = TimeSpan.FromMilliseconds(200), "device/+/update", "device/+/status", "device/+/log");
        using var connection = await _broker.AcceptAsync(sessionPresent: false);
        var first = await connection.ReadAsync(0x82);
        await connection.SendAsync(0x90, [first.Body[0], first.Body[1], 0, 1, 0x87, 0]);
        await WaitForAsync(session => session.Problem is not null, "a problem");
        Assert.Contains("refuses the subscription to 'device/+/status' (0x87)", _session!.Problem, StringComparison.Ordinal);
        await connection.PublishAsync(1, "device/a/update", "served");
        await _sink.NextAsync<(long, bool)>();
        var delivery = await _sink.NextDeliveryAsync();
        Assert.Equal("device/a/update", delivery.Message.Topic);
        delivery.Complete();
        Assert.Equal(1, await connection.ReadAcknowledgementAsync());

        var second = await connection.ReadAsync(0x82);
        Assert.Equal("device/+/status", Encoding.UTF8.GetString(second.Body, 5, second.Body.Length - 6));
        await connection.SendAsync(0x90, [second.Body[0], second.Body[1], 0, 1]);

        await WaitForAsync(MqttConnectionState.Online);
    }

    [Theory]
    [InlineData(0x8B, "ServerShuttingDown")]
    [InlineData(0x98, "AdministrativeAction")]
    [InlineData(0x93, "ReceiveMaximumExceeded")]
    public async Task Disconnected_WithAReason_SaysItAndConnectsAgainWithoutAFence(byte code, string name)
    {
        Start();
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true))
        {
            await _sink.NextAsync<(long, bool)>();
            await WaitForAsync(MqttConnectionState.Online);
            await connection.SendAsync(0xE0, [code, 6, 0x1F, 0, 3, (byte)'w', (byte)'h', (byte)'y']);
            await WaitForAsync(session => session.Problem is not null, "a problem");
        }

        Assert.Equal($"The connection to {_broker.ConnectionString} was lost: the broker disconnected: {name}, why (0x{code:X2}).", _session!.Problem);
        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        Assert.Equal((2L, true), await _sink.NextAsync<(long, bool)>());
    }

    [Fact]
    public async Task Connect_BadCredentials_SaysSoWithoutThemAndTriesAgain()
    {
        Start(options =>
        {
            options.UserName = "someone";
            options.Password = "s3cret";
            options.MaxReconnectDelay = TimeSpan.FromMilliseconds(200);
        });
        using (var connection = await _broker.AcceptAsync())
        {
            Assert.Contains("s3cret", Encoding.UTF8.GetString(connection.Connect.Body), StringComparison.Ordinal);
            await connection.SendAsync(0x20, [0, 0x86, 0]);
            await WaitForAsync(session => session.Problem is not null, "a problem");
        }

        Assert.Contains("refuses the user name or password (0x86)", _session!.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", _session.Problem, StringComparison.Ordinal);
        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: false);
        await WaitForAsync(MqttConnectionState.Online);
    }

    [Fact]
    public async Task Connect_NoAnswer_TimesOutAndTriesAgain()
    {
        Start(options => options.ConnectTimeout = TimeSpan.FromMilliseconds(200));
        using var silent = await _broker.AcceptAsync();

        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: false);
        await WaitForAsync(MqttConnectionState.Online);
    }

    [Fact]
    public async Task Delivery_SinkBlockedWhileTheConnectionEnds_StaysInOrder()
    {
        using ManualResetEventSlim release = new();
        _sink.WhileDelivering = _ => release.Wait(Bound);
        Start();
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true))
        {
            await _sink.NextAsync<(long, bool)>();
            await connection.PublishAsync(1, "t", "x");
            await _sink.NextDeliveryAsync();
        }

        Assert.False(_sink.TryNext(out _));
        release.Set();
        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        Assert.Equal((2L, true), await _sink.NextAsync<(long, bool)>());
    }

    [Fact]
    public async Task Delivery_SinkSlowerThanTheKeepAlive_DoesNotEndTheConnection()
    {
        using ManualResetEventSlim release = new();
        _sink.WhileDelivering = _ => release.Wait(Bound);
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true, 0x13, 0, 1);
        await _sink.NextAsync<(long, bool)>();
        await connection.PublishAsync(1, "t", "x");
        await _sink.NextDeliveryAsync();
        await connection.PublishAsync(2, "t", "y");

        // Four pings are two keep-alives: a silent broker would be given up by now.
        for (var i = 0; i < 4; i++)
        {
            await connection.ReadAsync(0xC0);
            await connection.SendAsync(0xD0, []);
        }

        release.Set();
        Assert.Equal(1, (await _sink.NextDeliveryAsync()).Epoch);
    }

    [Fact]
    public async Task Delivery_SinkThrows_ConnectsAnew()
    {
        _sink.WhileDelivering = delivery =>
        {
            if (delivery.Epoch == 1)
            {
                throw new InvalidOperationException("sink");
            }
        };
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await connection.PublishAsync(1, "t", "x");

        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await WaitForAsync(MqttConnectionState.Online);
    }

    [Fact]
    public async Task StopAsync_MessagesUnderWay_AcknowledgesThemThenDisconnectsKeepingTheSession()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await _sink.NextAsync<(long, bool)>();
        await connection.PublishAsync(1, "t", "x");
        var delivery = await _sink.NextDeliveryAsync();

        var stop = _session!.StopAsync(Bound, TestContext.Current.CancellationToken);
        await connection.PublishAsync(2, "t", "late");
        Assert.Null(await connection.TryReadAsync(TimeSpan.FromMilliseconds(100)));
        Assert.False(stop.IsCompleted);
        delivery.Complete();

        Assert.Equal(1, await connection.ReadAcknowledgementAsync());
        var disconnect = await connection.ReadAsync(0xE0);
        Assert.True(disconnect.Body is [] or [0] or [0, 0], "DISCONNECT must say 0x00 and keep the session's expiry.");
        connection.Dispose();
        await stop.WaitAsync(Bound, TestContext.Current.CancellationToken);
        Assert.Equal(MqttConnectionState.Stopped, _session.State);
        Assert.False(_sink.TryNext(out _), "Nothing is delivered once it stops.");
    }

    [Fact]
    public async Task StopAsync_WhileNewCredentialsAreTried_GivesThemUpAndDrains()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "first");
            Start(options => (options.UserName, options.PasswordFile, options.CredentialCheckPeriod) = ("user", file, TimeSpan.FromMilliseconds(20)));
            using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
            await _sink.NextAsync<(long, bool)>();
            await connection.PublishAsync(1, "t", "x");
            var delivery = await _sink.NextDeliveryAsync();
            File.WriteAllText(file, "second");
            using var trial = await _broker.AcceptAsync();

            var stop = _session!.StopAsync(Bound, TestContext.Current.CancellationToken);

            // The connection in use is not made anew while it drains.
            await trial.ReadResetAsync();
            delivery.Complete();
            Assert.Equal(1, await connection.ReadAcknowledgementAsync());
            await connection.ReadAsync(0xE0);
            connection.Dispose();
            await stop.WaitAsync(Bound, TestContext.Current.CancellationToken);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task StopAsync_MessageNeverFinished_EndsAfterTheDrainTime()
    {
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        await connection.PublishAsync(1, "t", "x");
        await _sink.NextAsync<(long, bool)>();
        await _sink.NextDeliveryAsync();

        var stop = _session!.StopAsync(TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken);

        await connection.ReadAsync(0xE0);
        connection.Dispose();
        await stop.WaitAsync(Bound, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task StopAsync_NotConnected_EndsAtOnce()
    {
        _broker.Dispose();
        Start();

        await _session!.StopAsync(Bound, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);

        Assert.Equal(MqttConnectionState.Stopped, _session.State);
    }

    [Fact]
    public async Task Fence_Closed_GivesUpTheConnectionAndWhatItHoldsUntilItIsOpen()
    {
        _fence = new(TimeProvider.System);
        Start(options => options.MaxReconnectDelay = TimeSpan.FromMilliseconds(100));
        using (var connection = await _broker.AcceptSubscriberAsync(sessionPresent: false))
        {
            await WaitForAsync(MqttConnectionState.Online);
            await _sink.NextAsync<(long, bool)>();
            await connection.PublishAsync(1, "t", "held");
            await _sink.NextDeliveryAsync();
            _fence.Close();
            Assert.Equal("fenced 1", await _sink.NextAsync<string>());
            await connection.ReadResetAsync();
        }

        await WaitForAsync(session => session.Problem?.Contains("No connection", StringComparison.Ordinal) == true, "a refused connection");
        Assert.Contains("it was paused", _session!.Problem, StringComparison.Ordinal);
        Assert.False(_broker.IsConnectionPending);
        _fence.Open();
        using var next = await _broker.AcceptSubscriberAsync(sessionPresent: true);
        Assert.Equal((2L, true), await _sink.NextAsync<(long, bool)>());
        await next.PublishAsync(1, "t", "again", duplicate: true);
        Assert.Equal("again", Encoding.UTF8.GetString((await _sink.NextDeliveryAsync()).Message.Payload.Span));
    }

    [Fact]
    public async Task Fence_ClosedAndNobodyToldYet_DeliversNothing()
    {
        _fence = new(TimeProvider.System);
        Start();
        using var connection = await _broker.AcceptSubscriberAsync(sessionPresent: false);
        await WaitForAsync(MqttConnectionState.Online);
        await _sink.NextAsync<(long, bool)>();
        _fence.CloseQuietly();
        await connection.PublishAsync(1, "t", "from a buffer");

        Assert.Equal("fenced 1", await _sink.NextAsync<string>());
        await connection.ReadResetAsync();
        Assert.False(_sink.TryNext(out _));
    }

    public async ValueTask DisposeAsync()
    {
        _broker.Dispose();
        if (_session is not null)
        {
            await _session.DisposeAsync();
        }
    }

    private void Start(Action<MqttStreamOptions>? configure = null) => Start(configure, "device/+/update");

    private void Start(Action<MqttStreamOptions>? configure, params string[] filters)
    {
        MqttStreamOptions options = new() { ConnectionString = _broker.ConnectionString, ReceiveMaximum = 5 };
        configure?.Invoke(options);
        _session = new MqttSession(
            options, "session", [.. filters.Select(filter => new MqttFilter(filter, MqttQualityOfService.AtLeastOnce))], _sink, TestMetrics.Create(),
            _logs, TimeProvider.System, Quick, _fence);
        _session.Start();
    }

    private Task WaitForAsync(MqttConnectionState state) => WaitForAsync(session => session.State == state, $"state {state}");

    private async Task WaitForAsync(Func<MqttSession, bool> condition, string what)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Check()
        {
            if (condition(_session!))
            {
                reached.TrySetResult();
            }
        }

        _session!.StateChanged += Check;
        Check();
        try
        {
            await reached.Task.WaitAsync(Bound);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"The session did not reach {what}; it is {_session.State}: {_session.Problem}");
        }
        finally
        {
            _session.StateChanged -= Check;
        }
    }
}
