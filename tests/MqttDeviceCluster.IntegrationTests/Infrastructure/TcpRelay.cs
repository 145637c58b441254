using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Looks at what came from one side; returns the end of what may go to the other.</summary>
internal delegate SequencePosition RelayFilter(ReadOnlySequence<byte> buffer);

/// <summary>
/// Passes the bytes between clients and a server of this machine on. A server that is away looks to the clients as it would without it, and so does a side that resets.
/// </summary>
internal sealed class TcpRelay : IAsyncDisposable
{
    private readonly int _port;
    private readonly Func<(RelayFilter FromClient, RelayFilter FromServer)> _filters;
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _connections = [];
    private readonly Task _accepting;
    private bool _disposed;

    /// <param name="address">Where it listens.</param>
    /// <param name="port">The server's port on 127.0.0.1.</param>
    /// <param name="filters">Makes the filters of a connection; without, everything goes on as it comes.</param>
    /// <param name="listenPort">The port that it listens on; 0 for one of its own.</param>
    public TcpRelay(IPAddress address, int port, Func<(RelayFilter FromClient, RelayFilter FromServer)>? filters = null, int listenPort = 0)
    {
        _port = port;
        _filters = filters ?? (static () => (static buffer => buffer.End, static buffer => buffer.End));
        _listener = new(address, listenPort);
        _listener.Start();
        EndPoint = (IPEndPoint)_listener.LocalEndpoint;
        _accepting = AcceptAsync();
    }

    /// <summary>Gets where it listens.</summary>
    public IPEndPoint EndPoint { get; }

    /// <remarks>It may be disposed again.</remarks>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }

        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task[] connections;
        lock (_lock)
        {
            connections = [.. _connections];
        }

        await Task.WhenAll(connections);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptSocketAsync(_stopping.Token);
            var connection = ServeAsync(client);
            lock (_lock)
            {
                _connections.Add(connection);
            }

            _ = connection.ContinueWith(
                done =>
                {
                    lock (_lock)
                    {
                        _connections.Remove(done);
                    }
                },
                TaskScheduler.Default);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using Socket server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (client)
        {
            client.NoDelay = true;
            try
            {
                await server.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _port), _stopping.Token);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                return;
            }

            var (fromClient, fromServer) = _filters();
            await Task.WhenAll(PumpAsync(client, server, fromClient), PumpAsync(server, client, fromServer));
        }
    }

    // Never throws: when one side is gone, the other goes as well.
    private async Task PumpAsync(Socket from, Socket to, RelayFilter filter)
    {
        try
        {
            await using NetworkStream source = new(from, ownsSocket: false);
            await using NetworkStream target = new(to, ownsSocket: false);
            var reader = PipeReader.Create(source);
            while (true)
            {
                var result = await reader.ReadAsync(_stopping.Token);
                var passed = result.Buffer.Slice(0, filter(result.Buffer));
                foreach (var piece in passed)
                {
                    await target.WriteAsync(piece, _stopping.Token);
                }

                reader.AdvanceTo(passed.End, result.Buffer.End);
                if (result.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // A reset, or the end of the test.
        }
        finally
        {
            from.Dispose();
            to.Dispose();
        }
    }
}
