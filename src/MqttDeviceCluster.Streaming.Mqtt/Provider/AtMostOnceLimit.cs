namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>Bounds the QoS 0 messages that wait: nothing in the protocol does.</summary>
internal sealed class AtMostOnceLimit(int limit)
{
    private Queue<MqttStreamMessage> _waiting = new();
    private int _alive;

    /// <summary>Adds a message, on the connection's receive path. Returns whether the oldest one that still waited was dropped for it.</summary>
    public bool Add(MqttStreamMessage message)
    {
        while (_waiting.TryPeek(out var first) && first.HasEnded)
        {
            _waiting.Dequeue();
        }

        // Behind one that takes long, the finished ones gather: they go now and then, all at once.
        if (_waiting.Count >= 2 * limit)
        {
            _waiting = new(_waiting.Where(waiting => !waiting.HasEnded));
        }

        _waiting.Enqueue(message);
        if (Interlocked.Increment(ref _alive) <= limit)
        {
            return false;
        }

        while (_waiting.TryDequeue(out var oldest))
        {
            if (oldest.TryEnd())
            {
                Interlocked.Decrement(ref _alive);
                return true;
            }
        }

        return false;
    }

    /// <summary>A message that was added has ended otherwise. Any thread.</summary>
    public void Release() => Interlocked.Decrement(ref _alive);
}
