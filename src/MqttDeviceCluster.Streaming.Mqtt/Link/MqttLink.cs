using System.Collections.Concurrent;
using MQTTnet;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Exceptions;
using MQTTnet.LowLevelClient;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>
/// One network connection to a broker. It is never reused: what belongs to it (packet ids, acknowledgements) ends with it.
/// </summary>
internal sealed class MqttLink : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly ILowLevelMqttClient _client;
    private readonly MqttTransport _transport;
    private readonly TimeProvider _timeProvider;
    private readonly MqttLinkWriter _writer;
    private readonly TaskCompletionSource<MqttLinkEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<ushort, TaskCompletionSource<IReadOnlyList<byte>>> _subscribes = new();
    private Task _receiving = Task.CompletedTask;
    private ITimer? _watchdog;
    private long _lastReceived;
    private volatile bool _dispatching;
    private bool _pingDue;
    private int _lastSubscribeId;

    private MqttLink(ILowLevelMqttClient client, MqttTransport transport, MqttLinkInfo info, TimeProvider timeProvider)
    {
        _client = client;
        _transport = transport;
        _timeProvider = timeProvider;
        Info = info;
        _writer = new MqttLinkWriter(client, transport, exception => End(Classify(exception)));
    }

    /// <summary>Gets what the broker said about the connection.</summary>
    public MqttLinkInfo Info { get; }

    /// <summary>Gets how the connection ended. It ends after the last call to the receiver returned.</summary>
    public Task<MqttLinkEnd> Completion => CompleteAsync();

    /// <summary>Gets whether the connection has ended. The receiver may still be in its last call.</summary>
    public bool HasEnded => _ended.Task.IsCompleted;

    /// <summary>Gets when something was received last, or when it began to receive (a time stamp of the time provider).</summary>
    public long LastReceived => Volatile.Read(ref _lastReceived);

    /// <summary>Connects. Nothing is received before <see cref="Start"/>.</summary>
    /// <exception cref="MqttConnectException">There is no connection; why.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task<MqttLink> ConnectAsync(MqttLinkSettings settings, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        MqttTransport transport = new(settings);
        var client = new MqttClientFactory().CreateLowLevelMqttClient(MqttNetNullLogger.Instance);
        using CancellationTokenSource timeout = new(settings.ConnectTimeout, timeProvider);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            await client.ConnectAsync(transport.Options, bound.Token).ConfigureAwait(false);
            await client.SendAsync(MqttPackets.Connect(settings), CancellationToken.None).WaitAsync(bound.Token).ConfigureAwait(false);
            var answer = await client.ReceiveAsync(bound.Token).ConfigureAwait(false);
            if (answer is not MqttConnAckPacket acknowledgement)
            {
                throw new MqttConnectException(MqttConnectFailure.Network, "it does not answer as an MQTT broker does");
            }

            if (acknowledgement.ReasonCode != MqttConnectReasonCode.Success)
            {
                throw MqttPackets.Refusal(acknowledgement);
            }

            transport.HoldWrites();
            return new MqttLink(client, transport, MqttPackets.Info(acknowledgement, settings), timeProvider);
        }
        catch (Exception exception)
        {
            client.Dispose();
            transport.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw exception is MqttConnectException
                ? exception
                : timeout.IsCancellationRequested
                    ? new MqttConnectException(MqttConnectFailure.Timeout, $"no answer within {settings.ConnectTimeout.TotalSeconds:0.###} s", 0, exception)
                    : new MqttConnectException(MqttConnectFailure.Network, transport.Explain(exception, timeProvider.GetUtcNow()) ?? Text(exception), 0, exception);
        }
    }

    /// <summary>Begins to receive, to publish what <paramref name="source"/> has, and to watch whether the broker is alive.</summary>
    public void Start(IMqttLinkReceiver receiver, IMqttPublishSource? source = null)
    {
        if (source is not null)
        {
            _writer.SetSource(source);
        }

        _lastReceived = _timeProvider.GetTimestamp();
        _receiving = Task.Run(() => ReceiveAsync(receiver));
        var period = Info.KeepAlive / 4;
        _watchdog = _timeProvider.CreateTimer(static state => ((MqttLink)state!).Watch(), this, period, period);
        if (HasEnded)
        {
            _watchdog.Dispose();
        }
    }

    /// <summary>Subscribes; returns a reason code per filter: the granted quality of service, or 0x80 and more for a refusal.</summary>
    /// <exception cref="MqttConnectException">The connection ended, or there was no answer in time.</exception>
    public async Task<IReadOnlyList<byte>> SubscribeAsync(IReadOnlyList<MqttFilter> filters, TimeSpan timeout)
    {
        var packetId = (ushort)((Interlocked.Increment(ref _lastSubscribeId) % ushort.MaxValue) + 1);
        TaskCompletionSource<IReadOnlyList<byte>> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _subscribes[packetId] = answer;
        try
        {
            _ = _writer.WriteAsync(MqttPackets.Subscribe(packetId, filters));
            await Task.WhenAny(answer.Task, _ended.Task).WaitAsync(timeout, _timeProvider).ConfigureAwait(false);
            return answer.Task.IsCompleted
                ? await answer.Task.ConfigureAwait(false)
                : throw new MqttConnectException(MqttConnectFailure.Network, "the connection ended while subscribing");
        }
        catch (TimeoutException exception)
        {
            throw new MqttConnectException(
                MqttConnectFailure.Timeout, $"no answer to the subscription within {timeout.TotalSeconds:0.###} s", 0, exception);
        }
        finally
        {
            _subscribes.TryRemove(packetId, out _);
        }
    }

    /// <summary>Queues a PUBACK, after those queued before. Call <see cref="Kick"/> after the last one.</summary>
    public void Acknowledge(ushort packetId) => _writer.Acknowledge(packetId);

    /// <summary>Says that there is something to write. <paramref name="inline"/>: on this thread, if no other is at it.</summary>
    public void Kick(bool inline) => _writer.Kick(inline);

    /// <summary>Writes what is queued, says DISCONNECT (which keeps the session), and waits shortly for the broker to close.</summary>
    public async Task CloseAsync()
    {
        if (!HasEnded)
        {
            var written = _writer.WriteAsync(new MqttDisconnectPacket());
            try
            {
                await Task.WhenAny(written, _ended.Task).WaitAsync(CloseTimeout).ConfigureAwait(false);

                // Closing with unread bytes would reset the connection, and what we wrote last could be lost: the broker closes first.
                await _ended.Task.WaitAsync(CloseTimeout).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // A broker that does not close is left, and what it did not get is dropped: its acknowledgements would come too late, its messages act too late.
            }
        }

        End(new MqttLinkEnd(MqttLinkEndCause.Closed, "closed"));
    }

    /// <summary>Takes no more messages to publish. Those that were taken are still answered.</summary>
    public void StopPublishing() => _writer.Stop();

    /// <summary>Says PINGREQ: whatever comes next shows that the broker reads.</summary>
    public void Ping() => _ = _writer.WriteAsync(MqttPingReqPacket.Instance);

    /// <summary>Ends the connection at once, without DISCONNECT. What the broker has not got yet, it never gets.</summary>
    public void Abort(MqttLinkEndCause cause, string reason) => End(new MqttLinkEnd(cause, reason));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Abort(MqttLinkEndCause.Closed, "disposed");
        await _receiving.ConfigureAwait(false);
    }

    private async Task<MqttLinkEnd> CompleteAsync()
    {
        var end = await _ended.Task.ConfigureAwait(false);
        await _receiving.ConfigureAwait(false);
        return end;
    }

    // Never throws: whatever goes wrong ends the connection.
    private async Task ReceiveAsync(IMqttLinkReceiver receiver)
    {
        try
        {
            while (!HasEnded)
            {
                var packet = await _client.ReceiveAsync(CancellationToken.None).ConfigureAwait(false);
                Volatile.Write(ref _lastReceived, _timeProvider.GetTimestamp());
                if (HasEnded)
                {
                    return;
                }

                _dispatching = true;
                try
                {
                    if (Dispatch(packet, receiver) is { } end)
                    {
                        End(end);
                    }
                    else if (packet is MqttPublishPacket && receiver.Pause() is { } pause)
                    {
                        await Task.WhenAny(pause, _ended.Task).ConfigureAwait(false);
                    }
                }
                catch (Exception exception)
                {
                    End(new MqttLinkEnd(MqttLinkEndCause.Failed, "handling a received packet failed", 0, exception));
                }
                finally
                {
                    _dispatching = false;
                }
            }
        }
        catch (Exception exception)
        {
            End(Classify(exception));
        }
    }

    private MqttLinkEnd? Dispatch(MqttPacket packet, IMqttLinkReceiver receiver)
    {
        switch (packet)
        {
            case MqttPublishPacket { QualityOfServiceLevel: not MqttQualityOfServiceLevel.ExactlyOnce } publish:
                receiver.OnPublish(MqttPackets.Message(publish, _timeProvider.GetUtcNow()), publish.PacketIdentifier);
                return null;
            case MqttPubAckPacket answer:
                receiver.OnPublishAcknowledged(answer.PacketIdentifier, (byte)answer.ReasonCode, answer.ReasonString);
                return null;
            case MqttSubAckPacket answer:
                if (_subscribes.TryGetValue(answer.PacketIdentifier, out var waiting))
                {
                    waiting.TrySetResult([.. answer.ReasonCodes.Select(code => (byte)code)]);
                }

                return null;
            case MqttPingRespPacket:
                return null;
            case MqttDisconnectPacket farewell:
                var code = (byte)farewell.ReasonCode;
                var text = string.IsNullOrEmpty(farewell.ReasonString) ? $"{farewell.ReasonCode}" : $"{farewell.ReasonCode}, {farewell.ReasonString}";
                return new MqttLinkEnd(MqttLinkEndCause.Disconnected, $"the broker disconnected: {text} (0x{code:X2})", code);
            default:
                return new MqttLinkEnd(MqttLinkEndCause.ProtocolError, $"the broker sent an unexpected {packet.GetType().Name}");
        }
    }

    // PINGREQ goes out every half keep-alive whatever else is written: only its answer shows that the broker is alive.
    private void Watch()
    {
        if (HasEnded)
        {
            return;
        }

        if (_dispatching)
        {
            // We are the slow ones: what the broker sends meanwhile waits in the socket.
            Volatile.Write(ref _lastReceived, _timeProvider.GetTimestamp());
        }
        else if (_timeProvider.GetElapsedTime(Volatile.Read(ref _lastReceived)) >= 1.5 * Info.KeepAlive)
        {
            End(new MqttLinkEnd(MqttLinkEndCause.Silent, $"the broker was silent for {1.5 * Info.KeepAlive.TotalSeconds:0.#} s"));
            return;
        }

        if (_pingDue)
        {
            Ping();
        }

        _pingDue = !_pingDue;
    }

    private void End(MqttLinkEnd end)
    {
        if (_ended.TrySetResult(end))
        {
            _writer.Stop();
            _watchdog?.Dispose();
            _client.Dispose();
            _transport.Dispose();
        }
    }

    private static MqttLinkEnd Classify(Exception exception) => exception switch
    {
        MqttProtocolViolationException => new MqttLinkEnd(MqttLinkEndCause.ProtocolError, exception.Message, 0, exception),
        MqttCommunicationException { InnerException: null } => new MqttLinkEnd(MqttLinkEndCause.ClosedByPeer, "the connection was closed", 0, exception),
        _ => new MqttLinkEnd(MqttLinkEndCause.NetworkError, Text(exception), 0, exception),
    };

    // The innermost message names the cause: "Connection refused", "The remote certificate was rejected ...".
    private static string Text(Exception exception)
    {
        while (exception.InnerException is { } inner)
        {
            exception = inner;
        }

        return exception.Message.TrimEnd('.');
    }
}
