using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Link;

/// <summary>The broker's end of MQTT 5 on a loopback socket, byte by byte, played by a test.</summary>
internal sealed class RawBroker : IDisposable
{
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    // An address of its own, where the system has more than one: after it is gone, no other test's listener can get its port.
    private readonly TcpListener _listener = new(
        OperatingSystem.IsLinux() ? new IPAddress([127, .. RandomNumberGenerator.GetBytes(2), 1]) : IPAddress.Loopback, 0);

    public RawBroker()
    {
        _listener.Start();

        // Asked later, a listener that was disposed of names port 0.
        ConnectionString = $"mqtt://{_listener.LocalEndpoint}";
    }

    public string ConnectionString { get; }

    /// <summary>Gets whether someone connects who was not accepted yet.</summary>
    public bool IsConnectionPending => _listener.Pending();

    /// <summary>Takes the next connection and reads its CONNECT.</summary>
    public async Task<RawConnection> AcceptAsync()
    {
        using CancellationTokenSource bound = new(Bound);
        RawConnection connection = new(await _listener.AcceptSocketAsync(bound.Token));
        connection.Connect = await connection.ReadAsync();
        Assert.Equal(0x10, connection.Connect.Header);
        return connection;
    }

    /// <summary>Takes the next connection and answers CONNECT.</summary>
    public async Task<RawConnection> AcceptAsync(bool sessionPresent, params byte[] properties)
    {
        var connection = await AcceptAsync();
        await connection.SendAsync(0x20, [(byte)(sessionPresent ? 1 : 0), 0, (byte)properties.Length, .. properties]);
        return connection;
    }

    /// <summary>Takes the next connection, answers CONNECT, and grants its subscription.</summary>
    public async Task<RawConnection> AcceptSubscriberAsync(bool sessionPresent, params byte[] properties)
    {
        var connection = await AcceptAsync(sessionPresent, properties);
        connection.Subscribe = await connection.ReadAsync(0x82);
        await connection.SendAsync(0x90, [connection.Subscribe.Body[0], connection.Subscribe.Body[1], 0, 1]);
        return connection;
    }

    public void Dispose() => _listener.Dispose();
}

internal readonly record struct RawPacket(byte Header, byte[] Body)
{
    public ushort PacketId => BinaryPrimitives.ReadUInt16BigEndian(Body);
}

internal sealed class RawConnection(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);

    public RawPacket Connect { get; set; }

    public RawPacket Subscribe { get; set; }

    public async Task SendBytesAsync(byte[] bytes) => await _stream.WriteAsync(bytes);

    public Task SendAsync(byte header, byte[] body) => SendBytesAsync([header, .. Length(body.Length), .. body]);

    public Task PublishAsync(ushort packetId, string topic, string payload, bool duplicate = false, byte qualityOfService = 1) =>
        SendBytesAsync(PublishBytes(packetId, topic, payload, duplicate, qualityOfService));

    public static byte[] PublishBytes(ushort packetId, string topic, string payload, bool duplicate = false, byte qualityOfService = 1)
    {
        byte[] id = qualityOfService == 0 ? [] : Id(packetId);
        byte[] body = [.. Id((ushort)topic.Length), .. Encoding.UTF8.GetBytes(topic), .. id, 0, .. Encoding.UTF8.GetBytes(payload)];
        return [(byte)(0x30 | (duplicate ? 8 : 0) | (qualityOfService << 1)), .. Length(body.Length), .. body];
    }

    public Task AnswerPublishAsync(ushort packetId, byte reason = 0) =>
        SendAsync(0x40, reason == 0 ? Id(packetId) : [.. Id(packetId), reason, 0]);

    /// <summary>Reads the next packet; a PINGREQ is answered and skipped.</summary>
    public async Task<RawPacket> ReadAsync(byte? expectedHeader = null)
    {
        while (true)
        {
            using CancellationTokenSource bound = new(RawBroker.Bound);
            var header = await ReadByteAsync(bound.Token);
            int length = 0, shift = 0;
            byte piece;
            do
            {
                piece = await ReadByteAsync(bound.Token);
                length |= (piece & 127) << shift;
                shift += 7;
            }
            while ((piece & 128) != 0);
            var body = new byte[length];
            await _stream.ReadExactlyAsync(body, bound.Token);
            if (header == 0xC0 && expectedHeader != 0xC0)
            {
                await SendAsync(0xD0, []);
                continue;
            }

            if (expectedHeader is { } expected)
            {
                Assert.Equal(expected, header);
            }

            return new RawPacket(header, body);
        }
    }

    /// <summary>Reads a PUBACK and returns its packet id.</summary>
    public async Task<ushort> ReadAcknowledgementAsync() => (await ReadAsync(0x40)).PacketId;

    /// <summary>Waits until the other side has closed.</summary>
    /// <exception cref="IOException">It has reset the connection.</exception>
    public async Task ReadEndAsync()
    {
        using CancellationTokenSource bound = new(RawBroker.Bound);
        var buffer = new byte[256];
        while (await _stream.ReadAsync(buffer, bound.Token) > 0)
        {
        }
    }

    /// <summary>Waits until the other side has reset the connection, so that nothing it had written arrives later.</summary>
    public async Task ReadResetAsync()
    {
        var exception = await Assert.ThrowsAsync<IOException>(ReadEndAsync);
        Assert.Equal(SocketError.ConnectionReset, (exception.InnerException as SocketException)?.SocketErrorCode);
    }

    /// <summary>Waits until something has arrived, and leaves it there.</summary>
    public async Task WaitForDataAsync()
    {
        using CancellationTokenSource bound = new(RawBroker.Bound);
        await _stream.Socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, bound.Token);
    }

    /// <summary>Reads what comes within a while; null if nothing does.</summary>
    public async Task<RawPacket?> TryReadAsync(TimeSpan wait)
    {
        // That nothing comes shows only in time.
        using CancellationTokenSource bound = new(wait);
        while (!bound.IsCancellationRequested)
        {
            if (_stream.DataAvailable)
            {
                return await ReadAsync();
            }

            await Task.Delay(5);
        }

        return null;
    }

    public void Dispose() => _stream.Dispose();

    private async Task<byte> ReadByteAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[1];
        await _stream.ReadExactlyAsync(buffer, cancellationToken);
        return buffer[0];
    }

    private static byte[] Id(ushort id) => [(byte)(id >> 8), (byte)id];

    private static byte[] Length(int length)
    {
        List<byte> bytes = [];
        do
        {
            bytes.Add((byte)((length & 127) | (length > 127 ? 128 : 0)));
            length >>= 7;
        }
        while (length > 0);
        return [.. bytes];
    }
}
