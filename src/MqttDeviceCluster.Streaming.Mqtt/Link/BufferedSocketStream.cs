using System.Net.Sockets;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>
/// A socket that is read in big pieces and written in one call per flush. MQTTnet reads a packet in three pieces and writes it in two; without
/// this, each would be a system call.
/// </summary>
/// <remarks>One reader and one writer at a time, as under any stream.</remarks>
internal sealed class BufferedSocketStream(Socket socket) : Stream
{
    private const int BufferSize = 64 * 1024;

    private readonly byte[] _read = GC.AllocateUninitializedArray<byte>(BufferSize);
    private readonly byte[] _write = GC.AllocateUninitializedArray<byte>(BufferSize);
    private int _readStart;
    private int _readEnd;
    private int _written;

    /// <summary>Gets or sets whether a write waits for <see cref="SendHeldAsync"/>. Off until the connection is set up: TLS does not flush reliably.</summary>
    public bool HoldWrites { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _readStart < _readEnd ? new ValueTask<int>(Take(buffer.Span)) : FillAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (HoldWrites && buffer.Length <= BufferSize - _written)
        {
            buffer.CopyTo(_write.AsMemory(_written));
            _written += buffer.Length;
            return ValueTask.CompletedTask;
        }

        return WriteThroughAsync(buffer);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => SendHeldAsync().AsTask();

    /// <summary>Sends what is held.</summary>
    public ValueTask SendHeldAsync()
    {
        var count = _written;
        _written = 0;
        return count == 0 ? ValueTask.CompletedTask : SendAllAsync(_write.AsMemory(0, count));
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only asynchronous reads.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only asynchronous writes.");

    public override void Flush()
    {
        // What is held goes out with FlushAsync; a stream on top calls this when it is disposed.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            socket.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<int> FillAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (buffer.Length >= BufferSize)
        {
            return await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }

        _readStart = 0;
        _readEnd = 0;
        _readEnd = await socket.ReceiveAsync(_read.AsMemory(), SocketFlags.None, cancellationToken).ConfigureAwait(false);
        return Take(buffer.Span);
    }

    private int Take(Span<byte> buffer)
    {
        var count = Math.Min(buffer.Length, _readEnd - _readStart);
        _read.AsSpan(_readStart, count).CopyTo(buffer);
        _readStart += count;
        return count;
    }

    private async ValueTask WriteThroughAsync(ReadOnlyMemory<byte> buffer)
    {
        await SendHeldAsync().ConfigureAwait(false);
        await SendAllAsync(buffer).ConfigureAwait(false);
    }

    // No token reaches the socket: half a packet would make all that follows unreadable for the broker.
    private async ValueTask SendAllAsync(ReadOnlyMemory<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            buffer = buffer[await socket.SendAsync(buffer, SocketFlags.None).ConfigureAwait(false)..];
        }
    }
}
