using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// The messages of one Orleans queue that are with its pulling agent: a buffer per stream. A message leaves it when its consumers are done, and is
/// acknowledged then. Used only on the agent's scheduler.
/// </summary>
/// <remarks>
/// It puts no limit on itself: what it holds is bounded by the connection's Receive Maximum, and QoS 0 where it enters. Nor does it use the agent's purging,
/// which reports delivered messages too late, and failed ones never.
/// </remarks>
internal sealed class MqttQueueCache(IMqttIntake intake) : IQueueCache
{
    private readonly Dictionary<StreamId, MqttStreamBuffer> _buffers = [];
    private readonly HashSet<MqttStreamBuffer> _left = [];

    public int MaxBatchSize => intake.Options.MaxBatchSize;

    public bool HoldFailures => intake.HoldFailures;

    public int GetMaxAddCount()
    {
        // The agent asks before each read, when no registration of a stream is in flight: a stream without a cursor now has no consumer at all.
        if (_left.Count > 0)
        {
            SettleLeftBuffers();
        }

        return int.MaxValue;
    }

    public void AddToCache(IList<IBatchContainer> messages)
    {
        foreach (var container in messages)
        {
            var message = (MqttStreamMessage)container;
            if (!_buffers.TryGetValue(message.StreamId, out var buffer))
            {
                buffer = new(message.StreamId);
                _buffers.Add(message.StreamId, buffer);
            }

            buffer.Add(message);
            if (buffer.IsFailing)
            {
                GiveUpAllButTheNewest(buffer);
            }

            if (!buffer.HasCursors)
            {
                _left.Add(buffer);
            }
        }
    }

    public bool TryPurgeFromCache(out IList<IBatchContainer> purgedItems)
    {
        purgedItems = [];
        return false;
    }

    public IQueueCacheCursor GetCacheCursor(StreamId streamId, StreamSequenceToken? token)
    {
        if (!_buffers.TryGetValue(streamId, out var buffer))
        {
            buffer = new(streamId);
            _buffers.Add(streamId, buffer);
        }

        _left.Remove(buffer);
        return new MqttCacheCursor(this, buffer);
    }

    public bool IsUnderPressure() => false;

    public bool IsObsolete(MqttStreamMessage message) => intake.IsObsolete(message);

    public void DeadLetter(MqttStreamMessage message, string reason) => intake.DeadLetter(message, reason);

    /// <summary>Acknowledges and forgets the messages that all cursors have passed.</summary>
    public void ReleaseFinished(MqttStreamBuffer buffer)
    {
        while (buffer.TakeFinished() is { } message)
        {
            intake.Finish(message);
        }
    }

    public void OnCursorDisposed(MqttStreamBuffer buffer, MqttCacheCursor cursor)
    {
        buffer.Remove(cursor);
        if (!buffer.HasCursors && buffer.IsEmpty)
        {
            _buffers.Remove(buffer.StreamId);
            _left.Remove(buffer);
        }
        else
        {
            _left.Add(buffer);
        }
    }

    /// <summary>Takes everything that is not finished, in order of arrival, and leaves the cache empty: the agent has stopped.</summary>
    public List<MqttStreamMessage> TakeUnfinished()
    {
        List<MqttStreamMessage> unfinished = [];
        foreach (var buffer in _buffers.Values)
        {
            while (buffer.TakeFirst() is { } message)
            {
                if (!message.HasEnded)
                {
                    unfinished.Add(message);
                }
            }
        }

        _buffers.Clear();
        _left.Clear();
        unfinished.Sort(static (x, y) => x.Token.CompareTo(y.Token));
        return unfinished;
    }

    /// <summary>
    /// While a consumer that keeps failing is tried once more, for the whole delivery time, what arrives for it does not wait: it would fill the connection's
    /// window, and hold up everyone else.
    /// </summary>
    private void GiveUpAllButTheNewest(MqttStreamBuffer buffer)
    {
        var message = buffer.Find(buffer.FirstUndelivered);
        while (message?.Next is { } newer)
        {
            if (!message.HasEnded && !IsObsolete(message))
            {
                DeadLetter(message, MqttRefusal.ConsumerFailing);
            }

            message = newer;
        }
    }

    private void SettleLeftBuffers()
    {
        foreach (var buffer in _left)
        {
            if (buffer.HasCursors)
            {
                // One of several consumers is gone: what the others have passed is finished.
                ReleaseFinished(buffer);
                continue;
            }

            while (buffer.TakeFirst() is { } message)
            {
                if (!message.HasEnded && !IsObsolete(message))
                {
                    DeadLetter(message, MqttRefusal.NoConsumer);
                }
            }

            _buffers.Remove(buffer.StreamId);
        }

        _left.Clear();
    }
}
