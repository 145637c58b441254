using System.Net;
using System.Net.Sockets;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// The network between clients and a broker, which can be cut: nothing gets through, and nobody is told. When it is whole again, what a side still
/// has to send arrives late, as TCP's retransmissions do; what a side that reset its connection had sent does not, as there is no one left to send it.
/// </summary>
internal sealed class NetworkCut : IAsyncDisposable
{
    private readonly int _brokerPort;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly List<Task> _running = [];
    private volatile TaskCompletionSource _whole = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lost;

    private NetworkCut(int brokerPort)
    {
        _brokerPort = brokerPort;
        _whole.SetResult();
    }

    /// <summary>Gets the address for clients.</summary>
    public string ConnectionString => $"mqtt://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Gets how many bytes were never delivered because their sender had reset the connection.</summary>
    public long Lost => Interlocked.Read(ref _lost);

    public static NetworkCut Start(int brokerPort)
    {
        NetworkCut network = new(brokerPort);
        network._listener.Start();
        network._running.Add(network.AcceptAsync());
        return network;
    }

    public void Cut() => _whole = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Heal() => _whole.SetResult();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _whole.TrySetResult();
        _listener.Dispose();
        Task[] running;
        lock (_lock)
        {
            running = [.. _running];
        }

        foreach (var task in running)
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
                _running.Add(PumpAsync(client, broker));
                _running.Add(PumpAsync(broker, client));
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var count = await from.ReceiveAsync(buffer, SocketFlags.None, _stopping.Token);
                if (!_whole.Task.IsCompleted)
                {
                    await _whole.Task.WaitAsync(_stopping.Token);
                    if ((int)from.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)! != 0)
                    {
                        Interlocked.Add(ref _lost, count + from.Available);
                        break;
                    }
                }

                if (count == 0)
                {
                    break;
                }

                await to.SendAsync(buffer.AsMemory(0, count), SocketFlags.None, _stopping.Token);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One side is gone, and so the other goes as well.
        }
        finally
        {
            from.Dispose();
            to.Dispose();
        }
    }
}
