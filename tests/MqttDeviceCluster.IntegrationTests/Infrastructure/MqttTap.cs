using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// Passes the bytes between clients and a broker on, and reads along: which QoS 1 messages the broker sent, and which PUBACKs went back, in their order.
/// </summary>
internal sealed class MqttTap : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly int _brokerPort;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly List<Task> _running = [];
    private readonly Dictionary<ushort, string> _topics = [];
    private int _delivered;
    private ImmutableList<string> _acknowledged = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MqttTap(int brokerPort) => _brokerPort = brokerPort;

    /// <summary>Gets the address for clients.</summary>
    public string ConnectionString => $"mqtt://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Gets or sets what is done when a PUBACK is seen, before it is passed on.</summary>
    public Action<ushort>? OnAcknowledged { get; set; }

    /// <summary>Gets the topics of the messages that were acknowledged, in the order of their PUBACKs.</summary>
    public IReadOnlyList<string> AcknowledgedTopics => Volatile.Read(ref _acknowledged);

    /// <summary>Gets how many PUBACKs were seen.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged).Count;

    public static MqttTap Start(int brokerPort)
    {
        MqttTap tap = new(brokerPort);
        tap._listener.Start();
        tap._running.Add(tap.AcceptAsync());
        return tap;
    }

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

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        foreach (var task in _running.ToArray())
        {
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptSocketAsync(_stopping.Token);
            Socket broker = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            client.NoDelay = true;
            await broker.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _brokerPort), _stopping.Token);
            lock (_lock)
            {
                _running.Add(PumpAsync(client, broker, ReadFromClient));
                _running.Add(PumpAsync(broker, client, ReadFromBroker));
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Action<byte, byte[]> read)
    {
        try
        {
            await using NetworkStream source = new(from, ownsSocket: true);
            await using NetworkStream target = new(to, ownsSocket: false);
            var one = new byte[1];
            while (true)
            {
                await source.ReadExactlyAsync(one, _stopping.Token);
                List<byte> packet = [one[0]];
                var length = 0;
                for (var shift = 0; ; shift += 7)
                {
                    await source.ReadExactlyAsync(one, _stopping.Token);
                    packet.Add(one[0]);
                    length |= (one[0] & 0x7F) << shift;
                    if ((one[0] & 0x80) == 0)
                    {
                        break;
                    }
                }

                var body = new byte[length];
                await source.ReadExactlyAsync(body, _stopping.Token);
                read(packet[0], body);
                await target.WriteAsync((byte[])[.. packet, .. body], _stopping.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone, so the other goes as well.
            to.Dispose();
        }
    }

    private void ReadFromBroker(byte header, byte[] body)
    {
        // PUBLISH, QoS 1.
        if ((header & 0xF6) == 0x32)
        {
            var topicLength = BinaryPrimitives.ReadUInt16BigEndian(body);
            var topic = Encoding.UTF8.GetString(body, 2, topicLength);
            var packetId = BinaryPrimitives.ReadUInt16BigEndian(body.AsSpan(2 + topicLength));
            Change(() =>
            {
                _topics[packetId] = topic;
                _delivered++;
            });
        }
    }

    private void ReadFromClient(byte header, byte[] body)
    {
        // PUBACK.
        if (header == 0x40)
        {
            var packetId = BinaryPrimitives.ReadUInt16BigEndian(body);
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
