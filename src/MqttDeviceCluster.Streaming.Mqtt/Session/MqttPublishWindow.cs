using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>The messages that were written to one connection and not answered yet. Not thread-safe.</summary>
internal sealed class MqttPublishWindow
{
    private readonly PendingPublish?[] _slots;
    private readonly Stack<ushort> _free;
    private readonly Queue<PendingPublish> _writing = new();

    public MqttPublishWindow(MqttLinkInfo info, int limit)
    {
        Info = info;
        var size = Math.Min(info.ReceiveMaximum, limit);
        _slots = new PendingPublish?[size];
        _free = new Stack<ushort>(size);
        for (var id = size; id > 0; id--)
        {
            _free.Push((ushort)id);
        }
    }

    public MqttLinkInfo Info { get; }

    /// <summary>Gets how many QoS 1 messages the broker owes an answer for.</summary>
    public int InFlight => _slots.Length - _free.Count;

    /// <summary>Gets whether nothing is under way.</summary>
    public bool IsEmpty => InFlight == 0 && _writing.Count == 0;

    /// <summary>Takes a place for a message; a QoS 0 message takes none, and its id is 0.</summary>
    public bool TryEnter(PendingPublish publish, out ushort packetId)
    {
        packetId = 0;
        if (publish.Message.QualityOfService == MqttQualityOfService.AtMostOnce)
        {
            _writing.Enqueue(publish);
            return true;
        }

        if (!_free.TryPop(out packetId))
        {
            return false;
        }

        _slots[packetId - 1] = publish;
        return true;
    }

    /// <summary>Gets whether a QoS 1 message finds a place.</summary>
    public bool HasRoom => _free.Count > 0;

    /// <summary>Takes back the place of an answered message; <see langword="null"/> if the broker answered what was not asked.</summary>
    public PendingPublish? Leave(ushort packetId)
    {
        if (packetId == 0 || packetId > _slots.Length || _slots[packetId - 1] is not { } publish)
        {
            return null;
        }

        _slots[packetId - 1] = null;
        _free.Push(packetId);
        return publish;
    }

    /// <summary>Takes back the oldest QoS 0 message.</summary>
    public PendingPublish? LeaveWritten() => _writing.TryDequeue(out var publish) ? publish : null;

    /// <summary>Calls back for each message under way. Answered or not, it keeps its place until PUBACK.</summary>
    public void ForEach(Action<PendingPublish> action)
    {
        foreach (var publish in _slots)
        {
            if (publish is not null)
            {
                action(publish);
            }
        }

        foreach (var publish in _writing)
        {
            action(publish);
        }
    }
}
