using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// Maps streams to queues and queues to the ring. All queues of a connection have one hash, so that the balancer moves them together: the broker knows one
/// owner per connection.
/// </summary>
internal sealed class MqttQueueMapper : IConsistentRingStreamQueueMapper
{
    private readonly QueueId[] _queues;
    private readonly int _queuesPerConnection;

    public MqttQueueMapper(string providerName, int connections, int queuesPerConnection)
    {
        _queuesPerConnection = queuesPerConnection;
        _queues = new QueueId[connections * queuesPerConnection];
        var first = Hash(providerName);
        var step = uint.MaxValue / (uint)connections;
        for (var i = 0; i < _queues.Length; i++)
        {
            _queues[i] = QueueId.GetQueueId(providerName, (uint)i, unchecked(first + ((uint)(i / queuesPerConnection) * step)));
        }
    }

    public IEnumerable<QueueId> GetAllQueues() => _queues;

    public IEnumerable<QueueId> GetQueuesForRange(IRingRange range)
    {
        foreach (var queue in _queues)
        {
            if (range.InRange(queue.GetUniformHashCode()))
            {
                yield return queue;
            }
        }
    }

    /// <summary>Returns a queue of the first connection: which connection a topic comes on is the broker's business, not the stream's.</summary>
    public QueueId GetQueueForStream(StreamId streamId) => _queues[QueueOf(streamId.GetKeyAsString(), _queuesPerConnection)];

    /// <summary>Returns the connection and the queue within it that <paramref name="queueId"/> stands for.</summary>
    public (int Connection, int Queue) Locate(QueueId queueId) =>
        ((int)queueId.GetNumericId() / _queuesPerConnection, (int)queueId.GetNumericId() % _queuesPerConnection);

    /// <summary>Returns which of a connection's queues a stream key belongs to.</summary>
    public static int QueueOf(ReadOnlySpan<char> key, int queues) => (int)(Hash(key) % (uint)queues);

    // FNV-1a: stable across processes, and good enough to spread keys over a few queues.
    private static uint Hash(ReadOnlySpan<char> text)
    {
        var hash = 2166136261u;
        foreach (var c in text)
        {
            hash = unchecked((hash ^ c) * 16777619u);
        }

        return hash;
    }
}
