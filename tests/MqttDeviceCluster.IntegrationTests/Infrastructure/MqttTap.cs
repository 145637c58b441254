using System.Collections.Immutable;
using System.Net;
using System.Text;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// Passes the bytes between clients and a broker on, and reads along: which QoS 1 messages the broker sent, and which PUBACKs went back, in their order.
/// </summary>
internal sealed class MqttTap : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly TcpRelay _relay;
    private readonly Lock _lock = new();
    private readonly Dictionary<ushort, string> _topics = [];
    private int _delivered;
    private ImmutableList<string> _acknowledged = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MqttTap(int brokerPort) => _relay = new(
        IPAddress.Loopback, brokerPort, () => (buffer => MqttFrames.Read(buffer, ReadFromClient), buffer => MqttFrames.Read(buffer, ReadFromBroker)));

    /// <summary>Gets the address for clients.</summary>
    public string ConnectionString => $"mqtt://{_relay.EndPoint}";

    /// <summary>Gets or sets what is done when a PUBACK is seen, before it is passed on.</summary>
    public Action<ushort>? OnAcknowledged { get; set; }

    /// <summary>Gets the topics of the messages that were acknowledged, in the order of their PUBACKs.</summary>
    public IReadOnlyList<string> AcknowledgedTopics => Volatile.Read(ref _acknowledged);

    /// <summary>Gets how many PUBACKs were seen.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged).Count;

    public static MqttTap Start(int brokerPort) => new(brokerPort);

    /// <summary>Waits until so many QoS 1 messages went to clients and so many PUBACKs back.</summary>
    public async Task WaitAsync(int delivered, int acknowledged)
    {
        using CancellationTokenSource bound = new(Bound);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_delivered >= delivered && _acknowledged.Count >= acknowledged)
                {
                    return;
                }

                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(bound.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException(
                    $"Waited for {delivered} messages and {acknowledged} PUBACKs; there were {_delivered} and {_acknowledged.Count}.");
            }
        }
    }

    public ValueTask DisposeAsync() => _relay.DisposeAsync();

    private void ReadFromBroker(byte header, ReadOnlySpan<byte> body)
    {
        if (MqttFrames.IsPublish(header))
        {
            var (topic, packetId) = MqttFrames.PublishOf(body);
            Change(() =>
            {
                _topics[packetId] = Encoding.UTF8.GetString(topic.Span);
                _delivered++;
            });
        }
    }

    private void ReadFromClient(byte header, ReadOnlySpan<byte> body)
    {
        if (MqttFrames.IsPublishAcknowledgement(header))
        {
            var packetId = MqttFrames.AcknowledgedBy(body);
            OnAcknowledged?.Invoke(packetId);
            Change(() => _acknowledged = _acknowledged.Add(_topics[packetId]));
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            change();
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }
}
