using System.Threading.Channels;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.Simulator.Connection;

/// <summary>
/// One network connection, never reused: its client, what waits to be sent on it, and a window on what the broker has not acknowledged,
/// which MQTTnet does not keep.
/// </summary>
internal sealed class FleetLink : IDisposable
{
    private const int MaxWindow = 200;
    private const int MaxWaiting = 1 << 18;
    private static readonly TimeSpan GoodbyeTimeout = TimeSpan.FromSeconds(5);

    /// <summary>A connection of 100,000 devices has as many goodbyes to say; a broker that takes fewer than this a second is not waited for.</summary>
    private const int GoodbyesPerSecond = 2_000;

    private readonly IMqttClient _client;
    private readonly int _qualityOfService;
    private readonly FleetCounters _counters;
    private readonly Action<string> _refused;
    private readonly SemaphoreSlim _window;
    private readonly int _windowSize;
    private readonly CancellationTokenSource _ended = new();
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<OutgoingMessage> _waiting;

    private volatile bool _disposed;
    private Task _pump = Task.CompletedTask;

    public FleetLink(IMqttClient client, int receiveMaximum, int qualityOfService, int devices, FleetCounters counters, Action<string> refused)
    {
        // Births, first reports and goodbyes of all of them at once must find room.
        _waiting = Channel.CreateBounded<OutgoingMessage>(new BoundedChannelOptions(Math.Max(MaxWaiting, 3 * devices)) { SingleReader = true });
        _client = client;
        _qualityOfService = qualityOfService;
        _counters = counters;
        _refused = refused;
        _windowSize = Math.Clamp(receiveMaximum, 1, MaxWindow);
        _window = new SemaphoreSlim(_windowSize, _windowSize);
    }

    /// <summary>Gets a task that ends, with the reason, when the connection has.</summary>
    public Task<string> Lost => _lost.Task;

    /// <summary>Gets or sets whether another client took over the session.</summary>
    public bool TakenOver { get; set; }

    public void Start() => _pump = PumpAsync();

    public void MarkLost(string reason)
    {
        _lost.TrySetResult(reason);
        _waiting.Writer.TryComplete();
        if (!_disposed)
        {
            _ended.Cancel();
        }
    }

    public bool TryPost(OutgoingMessage message) => _waiting.Writer.TryWrite(message);

    /// <summary>Sends what waits, waits for its acknowledgements, and says goodbye; all of it for a bounded time.</summary>
    public async Task SayGoodbyeAsync()
    {
        var left = _waiting.Reader.Count;
        _waiting.Writer.TryComplete();
        try
        {
            await FlushAsync().WaitAsync(GoodbyeTimeout + TimeSpan.FromSeconds(left / GoodbyesPerSecond)).ConfigureAwait(false);
            await _client.DisconnectAsync(new MqttClientDisconnectOptions(), CancellationToken.None)
                .WaitAsync(GoodbyeTimeout).ConfigureAwait(false);
        }
        catch (Exception exception) when (IsConnectionFailure(exception) || exception is TimeoutException)
        {
            // The broker went first. There is no one left to say goodbye to.
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        MarkLost("closed");
        _disposed = true;
        _client.Dispose();
    }

    /// <summary>Ends with the last message that was posted; after the connection is lost, soon.</summary>
    public async Task DrainAsync()
    {
        await _pump.ConfigureAwait(false);
        while (_waiting.Reader.TryRead(out var message))
        {
            Lose(message, "The connection ended.");
        }
    }

    public static bool IsConnectionFailure(Exception exception) => exception
        is MqttCommunicationException
        or MqttClientDisconnectedException
        or OperationCanceledException
        or ObjectDisposedException
        or IOException
        or System.Net.Sockets.SocketException
        or System.Net.WebSockets.WebSocketException
        or System.Security.Authentication.AuthenticationException
        or InvalidOperationException;

    private async Task FlushAsync()
    {
        await _pump.ConfigureAwait(false);
        for (var slot = 0; slot < _windowSize; slot++)
        {
            await _window.WaitAsync(_ended.Token).ConfigureAwait(false);
        }
    }

    private async Task PumpAsync()
    {
        // Away from the caller, which may be the receive loop.
        await Task.Yield();
        OutgoingMessage? held = null;
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(_ended.Token).ConfigureAwait(false))
            {
                while (_waiting.Reader.TryRead(out held))
                {
                    var quality = held.QualityOfService ?? _qualityOfService;
                    if (quality > 0)
                    {
                        await _window.WaitAsync(_ended.Token).ConfigureAwait(false);
                        // Not awaited: the calls write in order, the acknowledgements come when they come.
                        _ = PublishAsync(held, quality);
                    }
                    else
                    {
                        await PublishAsync(held, quality).ConfigureAwait(false);
                    }

                    held = null;
                }
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            if (held is not null)
            {
                Lose(held, "The connection ended.");
            }
        }
    }

    private async Task PublishAsync(OutgoingMessage message, int quality)
    {
        try
        {
            var packet = new MqttApplicationMessage
            {
                Topic = message.Topic,
                Payload = new System.Buffers.ReadOnlySequence<byte>(message.Payload),
                QualityOfServiceLevel = quality > 0 ? MqttQualityOfServiceLevel.AtLeastOnce : MqttQualityOfServiceLevel.AtMostOnce,
                Retain = message.Retain,
                CorrelationData = message.CorrelationData,
            };

            // Never a token inside the write: a write that is cancelled half way corrupts the stream.
            var result = await _client.PublishAsync(packet, CancellationToken.None).ConfigureAwait(false);
            if (!result.IsSuccess)
            {
                _refused($"{result.ReasonCode} for {message.Topic}");
                Lose(message, $"The broker refused the message: {result.ReasonCode}.");
                return;
            }

            if (message.IsUpdate)
            {
                _counters.CountSent();
            }

            message.Sent?.TrySetResult();
        }
        catch (Exception exception)
        {
            // No one awaits this task: what it learns goes to whoever awaits the message, and the unexpected to the log.
            if (!IsConnectionFailure(exception))
            {
                _refused($"{exception.GetType().Name} for {message.Topic}: {exception.Message}");
            }

            Lose(message, exception.Message);
        }
        finally
        {
            if (quality > 0)
            {
                _window.Release();
            }
        }
    }

    private void Lose(OutgoingMessage message, string reason)
    {
        if (message.IsUpdate)
        {
            _counters.CountLost();
        }

        message.Sent?.TrySetException(new IOException(reason));
    }
}
