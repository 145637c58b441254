using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Publishes an empty retained message to each topic, within the broker's Receive Maximum.</summary>
internal sealed class RetainedEraser : IMqttLinkReceiver, IMqttPublishSource
{
    private const int MaxWindow = 256;
    private static readonly MqttOutgoingMessage Empty = new() { Payload = ReadOnlyMemory<byte>.Empty, Retain = true };

    private readonly IReadOnlyList<string> _topics;
    private readonly MqttLink _link;
    private readonly Lock _lock = new();
    private readonly string?[] _slots;
    private readonly Stack<ushort> _free = new();
    private readonly TaskCompletionSource<(string Topic, byte Code)?> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _next;
    private int _answered;

    public RetainedEraser(IReadOnlyList<string> topics, MqttLink link)
    {
        _topics = topics;
        _link = link;
        var window = Math.Min(link.Info.ReceiveMaximum, MaxWindow);
        _slots = new string?[window];
        for (var id = window; id > 0; id--)
        {
            _free.Push((ushort)id);
        }
    }

    /// <summary>Gets a task that ends when all were accepted, with <see langword="null"/>, or with the first that was refused.</summary>
    public Task<(string Topic, byte Code)?> Done => _done.Task;

    public int Answered => Volatile.Read(ref _answered);

    public bool TryTake(out MqttLinkPublish publish)
    {
        lock (_lock)
        {
            if (_next < _topics.Count && !_done.Task.IsCompleted && _free.TryPop(out var packetId))
            {
                _slots[packetId - 1] = _topics[_next];
                publish = new MqttLinkPublish(_topics[_next++], Empty, packetId, 0, null, null);
                return true;
            }
        }

        publish = default;
        return false;
    }

    void IMqttLinkReceiver.OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
    {
        lock (_lock)
        {
            if (packetId == 0 || packetId > _slots.Length || _slots[packetId - 1] is not { } topic)
            {
                return;
            }

            _slots[packetId - 1] = null;
            _free.Push(packetId);
            if (reasonCode >= 0x80)
            {
                _done.TrySetResult((topic, reasonCode));
            }
            else if (++_answered == _topics.Count)
            {
                _done.TrySetResult(null);
            }
        }

        _link.Kick(inline: false);
    }

    void IMqttLinkReceiver.OnPublish(MqttIncomingMessage message, ushort packetId)
    {
        // This connection subscribes to nothing.
    }

    void IMqttPublishSource.OnWritten()
    {
        // Only QoS 0 messages end when they are written.
    }
}
