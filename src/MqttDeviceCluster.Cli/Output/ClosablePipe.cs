using Microsoft.Win32.SafeHandles;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>Nobody reads the output any more, as after <c>mdc watch | head -1</c>. The run ends without a word.</summary>
internal sealed class OutputClosedException(Exception innerException) : IOException("nobody reads the output any more", innerException);

/// <summary>Standard output into a pipe. .NET's own says nothing when the reader is gone, and what is written for ever goes nowhere.</summary>
internal sealed class ClosablePipe : Stream
{
    private const int StandardOutput = 1;
    private const int BrokenPipe = 32;

    private readonly FileStream _pipe;

    private ClosablePipe(FileStream pipe) => _pipe = pipe;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Opens standard output, or returns <see langword="null"/> where it is no pipe, or not of Unix.</summary>
    public static ClosablePipe? TryOpen()
    {
        if (OperatingSystem.IsWindows())
        {
            return null;
        }

        // No buffer: a line is out when it was written. A file keeps .NET's own stream: this one would write at a place of its own, over what others write.
        FileStream stream = new(new SafeFileHandle(StandardOutput, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? null : new ClosablePipe(stream);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _pipe.Write(buffer);
        }
        catch (IOException exception) when (exception.HResult == BrokenPipe)
        {
            throw new OutputClosedException(exception);
        }
    }

    public override void Flush()
    {
        // Nothing is held back.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
