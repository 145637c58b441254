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
    private readonly LinkedList<MqttCacheCursor> _delivering = [];

    public int MaxBatchSize => intake.Options.MaxBatchSize;

    public int GetMaxAddCount()
    {
        // The agent asks before each read, and every 2 ms while a stream is being registered. A stream under registration has a cursor of the agent's own, so one
        // without any has no consumer at all.
        GiveUpOverdue();
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
                GiveUpUndelivered(buffer);
            }

            buffer.Prune(IsDead);

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

    /// <summary>Gets how many messages are here.</summary>
    public int Count => _buffers.Values.Sum(buffer => buffer.Count);

    /// <summary>Gets whether any consumer is at work.</summary>
    public bool HasDeliveries => _delivering.Count > 0;

    public bool IsObsolete(MqttStreamMessage message) => intake.IsObsolete(message);

    public void DeadLetter(MqttStreamMessage message, string reason) => intake.DeadLetter(message, reason);

    /// <summary>Returns whether a message that keeps failing since then has time left. The agent gives up much earlier, and is given it again.</summary>
    public bool MayTryAgain(long since) => intake.TimeProvider.GetElapsedTime(since) < intake.Options.MaxDeliveryTime;

    /// <summary>Returns whether what failed is to be delivered again, however long it has been failing: what it needs is known to fail for others too.</summary>
    public bool HoldsFailures(MqttStreamBuffer buffer) => HoldsFailures(buffer, intake.HoldFailuresFor, intake.TimeProvider.GetTimestamp());

    /// <summary>The delivery that began then has just failed.</summary>
    public void NoteFailure(MqttStreamBuffer buffer, long began) =>
        buffer.NoteFailure(began, intake.TimeProvider.GetTimestamp(), buffer.Failing is { } failing && !IsLongAgo(failing.Until, began));

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

    public long OnDeliveryBegins(LinkedListNode<MqttCacheCursor> cursor)
    {
        _delivering.AddLast(cursor);
        return intake.TimeProvider.GetTimestamp();
    }

    public void OnDeliveryEnded(LinkedListNode<MqttCacheCursor> cursor)
    {
        if (cursor.List is not null)
        {
            _delivering.Remove(cursor);
        }
    }

    /// <summary>
    /// Gives up what consumers do not come back with. Without it, a grain that hangs would hold everyone's acknowledgements until its call times out, again and again.
    /// </summary>
    public void GiveUpOverdue()
    {
        // In the order in which they began. Those that are held stay, which spares nobody behind them.
        var node = _delivering.First;
        while (node is not null && intake.TimeProvider.GetElapsedTime(node.Value.DeliveringSince) >= intake.Options.MaxAnswerTime)
        {
            var hold = intake.HoldFailuresFor;
            if (hold == TimeSpan.MaxValue)
            {
                return;
            }

            var next = node.Next;
            if (!HoldsFailures(node.Value.Buffer, hold, node.Value.DeliveringSince))
            {
                _delivering.Remove(node);
                node.Value.GiveUp();
            }

            node = next;
        }
    }

    /// <summary>
    /// The consumer keeps failing: gives up what waits for it, so that it holds up nobody else, and keeps the newest to try it with. Does nothing while failures are
    /// held.
    /// </summary>
    public void GiveUpUndelivered(MqttStreamBuffer buffer)
    {
        if (HoldsFailures(buffer))
        {
            return;
        }

        buffer.RemoveUndelivered(message =>
        {
            if (!IsDead(message))
            {
                DeadLetter(message, MqttRefusal.ConsumerFailing);
                buffer.Trial = message;
            }

            return true;
        });
    }

    private bool HoldsFailures(MqttStreamBuffer buffer, TimeSpan hold, long began) => hold > TimeSpan.Zero
        && (buffer.Failing is not { } failing
            || IsLongAgo(failing.Until, began)
            || intake.TimeProvider.GetElapsedTime(failing.Since) < hold);

    /// <summary>
    /// Returns whether a failure is a matter of its own beside what began at that time: failures of one cause follow each other at once, or after a call that was not answered.
    /// </summary>
    private bool IsLongAgo(long failedAt, long began) => intake.TimeProvider.GetElapsedTime(failedAt, began) >= 2 * intake.Options.MaxAnswerTime;

    private bool IsDead(MqttStreamMessage message) => message.HasEnded || IsObsolete(message);

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
