using System.Collections.Concurrent;
using System.Text;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

/// <summary>
/// Stands in for the connections of a provider, so that its contract towards Orleans is tested message by message: what is delivered when, what is
/// acknowledged and in which order, what becomes of it when the connection ends. The real connections are tested against real brokers.
/// </summary>
internal sealed class FakeBroker : IMqttConnectionFactory
{
    private readonly Lock _lock = new();
    private readonly List<FakeSession> _sessions = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConcurrentQueue<(string Topic, MqttOutgoingMessage Message)> Published { get; } = new();

    public Func<string, MqttOutgoingMessage, MqttPublishResult> OnPublish { get; set; } = (_, _) => new(MqttPublishOutcome.Accepted, 0, "Success");

    public IMqttSession CreateSession(int connection, IReadOnlyList<MqttFilter> subscriptions, IMqttDeliverySink sink)
    {
        var session = new FakeSession(this, connection, subscriptions, sink);
        lock (_lock)
        {
            _sessions.Add(session);
        }

        return session;
    }

    public IMqttPublisher CreatePublisher() => new FakePublisher(this);

    /// <summary>Waits for the session that is online.</summary>
    public Task<FakeSession> SessionAsync() => WaitForAsync(
        Online, "a session online");

    public async Task<T> WaitForAsync<T>(Func<T?> condition, string what)
        where T : class
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (condition() is { } result)
                {
                    return result;
                }

                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(bound.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Waited 30 s for {what}.");
            }
        }
    }

    public Task WaitUntilAsync(Func<bool> condition, string what) => WaitForAsync(() => condition() ? "" : null, what);

    public void Change(Action action)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            action();
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    /// <summary>Returns the session that is online, if there is one. Call it within a condition.</summary>
    public FakeSession? Online() => _sessions.LastOrDefault(session => session.State == MqttConnectionState.Online);

    private sealed class FakePublisher(FakeBroker broker) : IMqttPublisher
    {
        public bool WasOnline => State == MqttConnectionState.Online;

        public MqttConnectionState State { get; private set; }

        public string? Problem => null;

        public void Start() => State = MqttConnectionState.Online;

        public Task<MqttPublishResult> PublishAsync(string topic, MqttOutgoingMessage message)
        {
            broker.Change(() => broker.Published.Enqueue((topic, message)));
            return Task.FromResult(broker.OnPublish(topic, message));
        }

        public Task StopAsync(TimeSpan drain, CancellationToken cancellationToken)
        {
            State = MqttConnectionState.Stopped;
            return Task.CompletedTask;
        }
    }
}

internal sealed class FakeSession(FakeBroker broker, int connection, IReadOnlyList<MqttFilter> subscriptions, IMqttDeliverySink sink) : IMqttSession
{
    private readonly List<FakeDelivery> _deliveries = [];
    private long _epoch;

    public int Connection => connection;

    public IReadOnlyList<MqttFilter> Subscriptions => subscriptions;

    public MqttConnectionState State { get; private set; }

    public DateTimeOffset? OnlineSince => State == MqttConnectionState.Online ? DateTimeOffset.UnixEpoch : null;

    public string? Problem => null;

    public int Unacknowledged => _deliveries.Count(delivery => !delivery.IsComplete);

    public void Start() => broker.Change(() =>
    {
        State = MqttConnectionState.Online;
        sink.OnConnected(++_epoch, sessionPresent: false);
    });

    public FakeDelivery Deliver(string topic, string payload, MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce, bool retain = false)
    {
        var message = new MqttIncomingMessage
        {
            Topic = topic,
            Payload = Encoding.UTF8.GetBytes(payload),
            QualityOfService = qualityOfService,
            Retain = retain,
            ReceivedAt = TimeProvider.System.GetUtcNow(),
        };
        var delivery = new FakeDelivery(broker, message, _epoch);
        broker.Change(() => _deliveries.Add(delivery));
        sink.OnDelivery(delivery);
        return delivery;
    }

    public void Reconnect(bool sessionPresent) => sink.OnConnected(++_epoch, sessionPresent);

    public void Fence() => sink.OnFenced(_epoch);

    public async Task StopAsync(TimeSpan drain, CancellationToken cancellationToken)
    {
        if (State == MqttConnectionState.Online && drain > TimeSpan.FromSeconds(1))
        {
            await broker.WaitUntilAsync(() => _deliveries.All(delivery => delivery.IsComplete || delivery.IsAbandoned), "deliveries to drain");
        }

        broker.Change(() => State = MqttConnectionState.Stopped);
    }
}

internal sealed class FakeDelivery(FakeBroker broker, MqttIncomingMessage message, long epoch) : MqttDelivery(message, epoch)
{
    private static int _order;

    /// <summary>Gets whether it was completed, which is when its PUBACK would go out.</summary>
    public bool IsComplete => Order > 0;

    /// <summary>Gets or sets whether the test does not expect it to complete.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>Gets the place in the order in which deliveries completed.</summary>
    public int Order { get; private set; }

    public override void Complete() => broker.Change(() => Order = Order == 0 ? Interlocked.Increment(ref _order) : Order);

    public Task CompletionAsync() => broker.WaitUntilAsync(() => IsComplete, $"the acknowledgement of {Message.Topic}");
}
