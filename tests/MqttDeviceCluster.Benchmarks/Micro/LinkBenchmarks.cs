using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>
/// QoS 1 messages over loopback to a peer that does nothing but acknowledge, until the last one is: our link, and MQTTnet's ordinary client beside it. Per message.
/// </summary>
public class LinkBenchmarks : IMqttLinkReceiver, IMqttPublishSource
{
    private const int Count = 1024;
    private const string Topic = "device/544B3B144B8C/pin/set";

    private static readonly ReadOnlyMemory<byte> Payload = "[{\"pin\":13,\"state\":1}]"u8.ToArray();

    private AcknowledgingPeer _peer = null!;
    private MqttLink _link = null!;
    private IMqttClient _client = null!;
    private TaskCompletionSource _done = new();
    private int _taken = Count;
    private int _answered;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _peer = new();
        var broker = $"mqtt://127.0.0.1:{_peer.Port}";
        _link = await MqttLink.ConnectAsync(
            new MqttLinkSettings { Broker = MqttConnectionString.Parse(broker), ClientId = "link", CleanStart = true }, TimeProvider.System, CancellationToken.None);
        _link.Start(this, this);
        _client = new MqttClientFactory().CreateMqttClient();
        await _client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", _peer.Port).WithProtocolVersion(MqttProtocolVersion.V500).Build());
    }

    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        await _link.DisposeAsync();
        _client.Dispose();
        _peer.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public Task Link()
    {
        _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _answered = 0;
        Volatile.Write(ref _taken, 0);
        _link.Kick(inline: false);
        return _done.Task;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public Task StockClient() => Task.WhenAll(Enumerable.Range(0, Count).Select(_ => _client.PublishAsync(
        new MqttApplicationMessage { Topic = Topic, PayloadSegment = Payload.ToArray(), QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce })));

    void IMqttLinkReceiver.OnPublish(MqttIncomingMessage message, ushort packetId)
    {
    }

    void IMqttLinkReceiver.OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
    {
        if (++_answered == Count)
        {
            _done.SetResult();
        }
    }

    bool IMqttPublishSource.TryTake(out MqttLinkPublish publish)
    {
        var number = Volatile.Read(ref _taken);
        if (number == Count)
        {
            publish = default;
            return false;
        }

        Volatile.Write(ref _taken, number + 1);
        publish = new(Topic, new MqttOutgoingMessage { Payload = Payload }, (ushort)(number + 1), 0, null, null);
        return true;
    }

    void IMqttPublishSource.OnWritten()
    {
    }

    /// <summary>The least that a broker must do: CONNACK, and a PUBACK for each PUBLISH.</summary>
    private sealed class AcknowledgingPeer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

        public AcknowledgingPeer()
        {
            _listener.Start();
            _ = AcceptAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    _ = ServeAsync(await _listener.AcceptSocketAsync());
                }
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // The end of the benchmark.
            }
        }

        private static async Task ServeAsync(Socket socket)
        {
            using (socket)
            {
                socket.NoDelay = true;
                var buffer = new byte[1 << 18];
                var answers = new byte[1 << 16];
                var filled = 0;
                while (await socket.ReceiveAsync(buffer.AsMemory(filled)) is var read and > 0)
                {
                    filled += read;
                    var (used, written) = Answer(buffer.AsSpan(0, filled), answers);
                    buffer.AsSpan(used, filled - used).CopyTo(buffer);
                    filled -= used;
                    await socket.SendAsync(answers.AsMemory(0, written));
                }
            }
        }

        private static (int Used, int Written) Answer(ReadOnlySpan<byte> packets, Span<byte> answers)
        {
            int used = 0, written = 0;
            while (packets.Length - used >= 2 && packets[used + 1] is var length and < 128 && packets.Length - used >= 2 + length && answers.Length - written >= 5)
            {
                var packet = packets.Slice(used, 2 + length);
                used += packet.Length;
                switch (packet[0] >> 4)
                {
                    case 1:
                        ((ReadOnlySpan<byte>)[0x20, 3, 0, 0, 0]).CopyTo(answers[written..]);
                        written += 5;
                        break;
                    case 3:
                        var id = packet.Slice(4 + BinaryPrimitives.ReadUInt16BigEndian(packet[2..]), 2);
                        ((ReadOnlySpan<byte>)[0x40, 2, id[0], id[1]]).CopyTo(answers[written..]);
                        written += 4;
                        break;
                }
            }

            return (used, written);
        }
    }
}
