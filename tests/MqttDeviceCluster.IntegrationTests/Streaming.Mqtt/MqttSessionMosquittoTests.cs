using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Streaming.Mqtt;

public sealed class MqttSessionMosquittoTests : MosquittoConnections
{
    [Fact]
    public async Task Session_MessagesSentWhileAway_ComeAfterwardsInOrder()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Sink first = new();
        var session = StartSession(broker, first);
        await WaitForAsync(session, MqttConnectionState.Online);
        await session.StopAsync(TimeSpan.Zero, TestContext.Current.CancellationToken);

        var publisher = StartPublisher(broker);
        for (var i = 0; i < 100; i++)
        {
            var result = await publisher.PublishAsync("in/a", Message(i));

            // A session that is away counts as a subscriber: that is not reason 0x10.
            Assert.Equal(MqttPublishOutcome.Accepted, result.Outcome);
        }

        Sink second = new();
        StartSession(broker, second);
        Assert.Equal((1L, true), await second.NextAsync<(long, bool)>());
        for (var i = 0; i < 100; i++)
        {
            var delivery = await second.NextAsync<MqttDelivery>();
            Assert.Equal(i, Number(delivery));
            delivery.Complete();
        }
    }

    [Fact]
    public async Task Session_NotCompleted_ComesAgainOnTheNextConnection()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Sink first = new();
        var session = StartSession(broker, first);
        await WaitForAsync(session, MqttConnectionState.Online);
        var publisher = StartPublisher(broker);
        await first.NextAsync<(long, bool)>();
        for (var i = 0; i < 3; i++)
        {
            await publisher.PublishAsync("in/a", Message(i));
        }

        (await first.NextAsync<MqttDelivery>()).Complete();
        await first.NextAsync<MqttDelivery>();
        await session.StopAsync(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);

        Sink second = new();
        StartSession(broker, second);
        Assert.Equal((1L, true), await second.NextAsync<(long, bool)>());
        Assert.Equal(1, Number(await second.NextAsync<MqttDelivery>()));
        Assert.Equal(2, Number(await second.NextAsync<MqttDelivery>()));
    }

    [Fact]
    public async Task Publish_NobodySubscribed_SaysSo()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        var publisher = StartPublisher(broker);

        var result = await publisher.PublishAsync("nobody/here", Message(1));

        Assert.Equal((MqttPublishOutcome.NoMatchingSubscribers, 0x10), (result.Outcome, (int)result.ReasonCode));
    }

    [Fact]
    public async Task Session_StartedTwiceWithOneClientId_IsFencedOnOneSideAndServedOnTheOther()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Sink oldSink = new(), newSink = new();
        var old = StartSession(broker, oldSink);
        await WaitForAsync(old, MqttConnectionState.Online);
        var taker = StartSession(broker, newSink);

        // mosquitto before 2.0.15 only closes the connection: they take it from each other until one notices.
        using CancellationTokenSource bound = new(Bound);
        await Task.WhenAny(
            WaitForAsync(old, MqttConnectionState.Fenced), WaitForAsync(taker, MqttConnectionState.Fenced)).WaitAsync(bound.Token);
        var loser = old.State == MqttConnectionState.Fenced ? old : taker;
        var winner = loser == old ? taker : old;
        var winnerSink = loser == old ? newSink : oldSink;
        await loser.StopAsync(TimeSpan.Zero, TestContext.Current.CancellationToken);
        await WaitForAsync(winner, MqttConnectionState.Online);

        await StartPublisher(broker).PublishAsync("in/a", Message(7));
        Assert.Equal(7, Number(await winnerSink.NextDeliveryAsync()));
    }

    [Fact]
    public async Task Session_BrokerRestarted_GoesOnWithItsSession()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Sink sink = new();
        var session = StartSession(broker, sink);
        Assert.Equal((1L, false), await sink.NextAsync<(long, bool)>());
        await WaitForAsync(session, MqttConnectionState.Online);

        await broker.RestartAsync();

        Assert.Equal((2L, true), await sink.NextAsync<(long, bool)>());
        await WaitForAsync(session, MqttConnectionState.Online);
        await StartPublisher(broker).PublishAsync("in/a", Message(1));
        Assert.Equal(1, Number(await sink.NextAsync<MqttDelivery>()));
    }

    [Fact]
    public async Task Session_BrokerKilledWithoutPersistence_SaysThatTheSessionIsLostAndSubscribesAgain()
    {
        await using var broker = await MosquittoBroker.StartAsync("persistence false");
        Sink sink = new();
        var session = StartSession(broker, sink);
        Assert.Equal((1L, false), await sink.NextAsync<(long, bool)>());
        await WaitForAsync(session, MqttConnectionState.Online);

        await broker.KillAsync();
        await WaitForAsync(session, MqttConnectionState.Connecting);
        await broker.StartAsync();

        Assert.Equal((2L, false), await sink.NextAsync<(long, bool)>());
        await WaitForAsync(session, MqttConnectionState.Online);
        await StartPublisher(broker).PublishAsync("in/a", Message(1));
        Assert.Equal(1, Number(await sink.NextAsync<MqttDelivery>()));
    }

    [Fact]
    public async Task Session_StartedBeforeTheBroker_HealsWhenItComes()
    {
        await using var broker = MosquittoBroker.Prepare();
        Sink sink = new();
        var session = StartSession(broker, sink);
        var publisher = StartPublisher(broker);
        await WaitForAsync(session, MqttConnectionState.Connecting);
        Assert.Equal(MqttPublishOutcome.NotSent, (await publisher.PublishAsync("in/a", Message(1))).Outcome);

        await broker.StartAsync();

        await WaitForAsync(session, MqttConnectionState.Online);
        await WaitForAsync(publisher, MqttConnectionState.Online);
    }

    [Fact]
    public async Task Publish_BrokerFrozen_EndsAtTheExpiryAndTheConnectionIsGivenUp()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        var publisher = StartPublisher(broker, options => options.KeepAlive = TimeSpan.FromSeconds(1));
        await WaitForAsync(publisher, MqttConnectionState.Online);
        broker.Suspend();
        var suspended = Stopwatch.GetTimestamp();

        var expiring = await publisher.PublishAsync("in/a", new MqttOutgoingMessage
        {
            Payload = "x"u8.ToArray(),
            ExpiresAt = TimeProvider.System.GetUtcNow().AddMilliseconds(300),
        });
        Assert.Equal(MqttPublishOutcome.Unknown, expiring.Outcome);

        // Publishing goes on all the time, and must not be taken for a sign of life.
        var lost = WaitForAsync(publisher, MqttConnectionState.Connecting);
        List<Task<MqttPublishResult>> publishes = [];
        while (!lost.IsCompleted)
        {
            publishes.Add(publisher.PublishAsync("in/a", Message(1)));
            await Task.WhenAny(lost, Task.Delay(100, TestContext.Current.CancellationToken));
        }

        await lost;

        // One and a half keep-alives, with room for a busy machine. Without a watchdog of our own it would take a quarter of an hour.
        Assert.InRange(Stopwatch.GetElapsedTime(suspended).TotalSeconds, 0.9, 10);
        Assert.Contains("has not answered", publisher.Problem, StringComparison.Ordinal);
        broker.Resume();
        await WaitForAsync(publisher, MqttConnectionState.Online);
        var results = await Task.WhenAll(publishes).WaitAsync(Bound, TestContext.Current.CancellationToken);
        Assert.All(results, result => Assert.NotEqual(MqttPublishOutcome.Refused, result.Outcome));
        Assert.Contains(results, result => result.Outcome == MqttPublishOutcome.Unknown);
    }

    [Fact]
    public async Task Connect_WrongPassword_SaysSo()
    {
        await using var broker = MosquittoBroker.Prepare("allow_anonymous false", "password_file {dir}/passwords");
        // What mosquitto_passwd makes of the password "right" is not needed to refuse a wrong one.
        await File.WriteAllTextAsync(Path.Combine(broker.DirectoryPath, "passwords"), "", TestContext.Current.CancellationToken);
        await broker.StartAsync();

        var session = StartSession(broker, new Sink(), options =>
        {
            options.UserName = "someone";
            options.Password = "wr0ng";
        });
        await WaitForProblemAsync(session);

        Assert.Contains("0x8", session.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng", session.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_WebSocket_DeliversAndPublishes()
    {
        // 2.0.11 opens the WebSocket listener on all addresses, whatever it is told; the second listener keeps the fixture's own.
        int port;
        await using (var reserved = MosquittoBroker.Prepare())
        {
            port = reserved.Port;
        }

        await using var webSocket = await MosquittoBroker.StartAsync($"listener {port} 127.0.0.1", "protocol websockets", "allow_anonymous true");
        void Use(MqttStreamOptions options) => options.ConnectionString = $"ws://127.0.0.1:{port}/mqtt";
        Sink sink = new();
        var session = StartSession(webSocket, sink, Use);
        await WaitForAsync(session, MqttConnectionState.Online);
        var publisher = StartPublisher(webSocket, Use);

        for (var i = 0; i < 50; i++)
        {
            Assert.True((await publisher.PublishAsync("in/a", Message(i))).IsAccepted);
        }

        await sink.NextAsync<(long, bool)>();
        for (var i = 0; i < 50; i++)
        {
            var delivery = await sink.NextAsync<MqttDelivery>();
            Assert.Equal(i, Number(delivery));
            delivery.Complete();
        }
    }

    [Fact]
    public async Task Connect_Tls_TrustsTheGivenAuthorityForTheRightNameOnly()
    {
        await using var broker = MosquittoBroker.Prepare("cafile {dir}/ca.pem", "certfile {dir}/server.pem", "keyfile {dir}/server.key");
        TestCertificates.Write(broker.DirectoryPath, "localhost");
        await broker.StartAsync();
        var ca = Path.Combine(broker.DirectoryPath, "ca.pem");

        var trusted = StartPublisher(broker, options =>
        {
            options.ConnectionString = $"mqtts://localhost:{broker.Port}";
            options.CertificateAuthorityFile = ca;
        });
        await WaitForAsync(trusted, MqttConnectionState.Online);
        Assert.True((await trusted.PublishAsync("in/a", Message(1))).IsAccepted);

        var wrongName = StartPublisher(broker, options =>
        {
            options.ConnectionString = $"mqtts://127.0.0.1:{broker.Port}";
            options.CertificateAuthorityFile = ca;
        });
        var unknownAuthority = StartPublisher(broker, options => options.ConnectionString = $"mqtts://localhost:{broker.Port}");
        var noFile = StartPublisher(broker, options =>
        {
            options.ConnectionString = $"mqtts://localhost:{broker.Port}";
            options.CertificateAuthorityFile = ca + ".missing";
        });
        await WaitForProblemAsync(wrongName);
        await WaitForProblemAsync(unknownAuthority);
        await WaitForProblemAsync(noFile);
        Assert.Contains("certificate is for another host name", wrongName.Problem, StringComparison.Ordinal);
        Assert.Contains("certificate is not trusted", unknownAuthority.Problem, StringComparison.Ordinal);
        Assert.Contains("cannot be read", noFile.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Session_20000MessagesWithForcedDisconnects_LosesNone()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        const int Count = 20_000;
        CountingSink sink = new(Count);
        var session = StartSession(
            broker, sink, options => options.MaxReconnectDelay = TimeSpan.FromMilliseconds(100), Quick with { ShortLivedLimit = int.MaxValue });
        await WaitForAsync(session, MqttConnectionState.Online);
        var publisher = StartPublisher(broker);
        await WaitForAsync(publisher, MqttConnectionState.Online);

        // A second client with the same id throws the session off its connection after every 500 messages that were not there before: counting those that come again
        // as well, each disconnect would bring the next one about, and a busy machine would see hundreds.
        var kicks = 0;
        async Task KickAsync()
        {
            while (await sink.EveryFiveHundred.Reader.WaitToReadAsync(CancellationToken.None))
            {
                sink.EveryFiveHundred.Reader.TryRead(out _);
                MqttLinkSettings settings = new()
                {
                    Broker = MqttConnectionString.Parse(broker.ConnectionString),
                    ClientId = "session",
                    SessionExpiry = TimeSpan.FromHours(1),
                };
                await using (await MqttLink.ConnectAsync(settings, TimeProvider.System, CancellationToken.None))
                {
                    kicks++;
                }
            }
        }

        var kicking = KickAsync();
        SemaphoreSlim limit = new(500);
        var published = Enumerable.Range(0, Count).Select(async i =>
        {
            MqttPublishResult result;
            do
            {
                result = await publisher.PublishAsync("in/a", Message(i));
            }
            while (!result.IsAccepted);
            limit.Release();
        });
        foreach (var publish in published)
        {
            await limit.WaitAsync(TestContext.Current.CancellationToken);
            _ = publish;
        }

        await sink.All.WaitAsync(TimeSpan.FromSeconds(90), TestContext.Current.CancellationToken);
        sink.EveryFiveHundred.Writer.Complete();
        await kicking;

        Assert.Equal(Count, sink.Distinct);
        TestContext.Current.TestOutputHelper?.WriteLine($"{kicks} disconnects, {sink.Received - Count} of {Count} delivered again.");
        Assert.True(kicks >= 10, "The run was over before it was disturbed.");
    }

    /// <summary>Finishes messages late, on other threads and out of order, as grains do.</summary>
    private sealed class CountingSink(int count) : IMqttDeliverySink
    {
        private readonly ConcurrentDictionary<int, bool> _seen = new();
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _received;
        private int _distinct;

        public Task All => _all.Task;

        public Channel<bool> EveryFiveHundred { get; } = Channel.CreateUnbounded<bool>();

        public int Distinct => _distinct;

        public int Received => _received;

        public void OnConnected(long epoch, bool sessionPresent) => Assert.True(epoch == 1 || sessionPresent);

        public void OnDelivery(MqttDelivery delivery)
        {
            Interlocked.Increment(ref _received);
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    if (_seen.TryAdd(Number(delivery), true) && Interlocked.Increment(ref _distinct) is var distinct && distinct % 500 == 0)
                    {
                        EveryFiveHundred.Writer.TryWrite(true);
                        if (distinct == count)
                        {
                            _all.TrySetResult();
                        }
                    }

                    delivery.Complete();
                },
                null);
        }

        public void OnFenced(long epoch)
        {
        }
    }
}
