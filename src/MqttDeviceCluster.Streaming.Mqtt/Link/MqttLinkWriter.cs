using System.Collections.Concurrent;
using MQTTnet.LowLevelClient;
using MQTTnet.Packets;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>
/// Writes the packets of one connection. Whoever brings the first packet becomes the writer until nothing is left; the others only
/// leave theirs. So one packet costs no thread switch, and many share one system call.
/// </summary>
internal sealed class MqttLinkWriter(ILowLevelMqttClient client, MqttTransport transport, Action<Exception> failed)
{
    // A caller who writes for others is let go after this many packets.
    private const int MaxInline = 64;

    private readonly ConcurrentQueue<Item> _items = new();
    private readonly MqttPubAckPacket _acknowledgement = new();
    private volatile IMqttPublishSource? _source;
    private int _requests;

    /// <summary>Names who is asked for messages to publish.</summary>
    public void SetSource(IMqttPublishSource source) => _source = source;

    /// <summary>The connection has ended, or is about to: nobody is asked any more, so that what still waits stays unsent.</summary>
    public void Stop() => _source = null;

    /// <summary>Writes a packet. The task ends when it is in the socket; it never ends if the connection does before.</summary>
    public Task WriteAsync(MqttPacket packet)
    {
        TaskCompletionSource written = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _items.Enqueue(new Item(packet, 0, written));
        Kick(inline: false);
        return written.Task;
    }

    /// <summary>Writes a PUBACK, after those before it. Call <see cref="Kick"/> after the last one.</summary>
    public void Acknowledge(ushort packetId) => _items.Enqueue(new Item(null, packetId, null));

    /// <summary>Says that there is something to write.</summary>
    /// <param name="inline">Whether to write on this thread, which is the quickest, or on another, so that more gathers meanwhile.</param>
    public void Kick(bool inline)
    {
        if (Interlocked.Increment(ref _requests) != 1)
        {
            return;
        }

        if (inline)
        {
            _ = PumpAsync(MaxInline);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static writer => _ = writer.PumpAsync(int.MaxValue), this, preferLocal: false);
        }
    }

    // Never throws: a failure ends the connection, and leaves _requests above zero so that nobody writes to it again.
    private async Task PumpAsync(int budget)
    {
        try
        {
            int seen;
            do
            {
                seen = Volatile.Read(ref _requests);
                budget = await WriteAllAsync(budget).ConfigureAwait(false);
            }
            while (Interlocked.Add(ref _requests, -seen) != 0);
        }
        catch (Exception exception)
        {
            failed(exception);
        }
    }

    private async ValueTask<int> WriteAllAsync(int budget)
    {
        List<TaskCompletionSource>? written = null;
        var atMostOnce = 0;
        IMqttPublishSource? source = null;
        while (true)
        {
            if (_items.TryDequeue(out var item))
            {
                await client.SendAsync(item.Packet ?? Acknowledgement(item.PacketId), CancellationToken.None).ConfigureAwait(false);
                if (item.Written is not null)
                {
                    (written ??= []).Add(item.Written);
                }
            }
            else if (_source is { } current && current.TryTake(out var publish))
            {
                await client.SendAsync(MqttPackets.Publish(publish), CancellationToken.None).ConfigureAwait(false);
                source = current;
                atMostOnce += publish.PacketId == 0 ? 1 : 0;
            }
            else
            {
                break;
            }

            if (--budget == 0)
            {
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            }
        }

        await transport.FlushAsync().ConfigureAwait(false);
        written?.ForEach(task => task.TrySetResult());
        for (; atMostOnce > 0; atMostOnce--)
        {
            source!.OnWritten();
        }

        return Math.Max(budget, 0);
    }

    // One packet object serves all: a packet is encoded before the send returns, and there is one writer.
    private MqttPubAckPacket Acknowledgement(ushort packetId)
    {
        _acknowledgement.PacketIdentifier = packetId;
        return _acknowledgement;
    }

    private readonly record struct Item(MqttPacket? Packet, ushort PacketId, TaskCompletionSource? Written);
}
