
namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// The unfinished messages of one stream, in order, and how its consumers get on with them. A message is finished when every cursor has passed it.
/// Used only on the scheduler of the queue's pulling agent.
/// </summary>
internal sealed class MqttStreamBuffer(StreamId streamId)
{
    /// <summary>After so many failed messages in a row the consumer, not the message, is held to be at fault.</summary>
    private const int FailuresOfAFailingConsumer = 2;

    /// <summary>From so many messages on, those that will not be delivered are looked for.</summary>
    private const int PruneFrom = 1024;

    // One, but for streams with several subscriptions.
    private readonly List<MqttCacheCursor> _cursors = new(1);
    private MqttStreamMessage? _head;
    private MqttStreamMessage? _tail;
    private long _nextPosition;
    private int _count;
    private int _pruneAt = PruneFrom;
    private int _failuresInARow;

    public StreamId StreamId { get; } = streamId;

    public bool IsEmpty => _head is null;

    public int Count => _count;

    /// <summary>Gets the position of the next message to be added.</summary>
    public long EndPosition => _nextPosition;

    public bool HasCursors => _cursors.Count > 0;

    /// <summary>Gets whether the consumer keeps failing: then messages are given up as they come, and the newest is tried all the same.</summary>
    public bool IsFailing => _failuresInARow >= FailuresOfAFailingConsumer;

    /// <summary>Gets the position below which every message was handed to all consumers.</summary>
    public long FirstUndelivered
    {
        get
        {
            var first = long.MaxValue;
            foreach (var cursor in _cursors)
            {
                first = Math.Min(first, cursor.Position);
            }

            return first;
        }
    }

    /// <summary>Gets or sets the newest message that was given up because the consumer keeps failing. It is delivered nevertheless, to see whether it still does.</summary>
    public MqttStreamMessage? Trial { get; set; }

    /// <summary>Gets or sets the position up to which messages are delivered one by one, to find the one that failed a batch.</summary>
    public long DeliverSinglyUntil { get; set; }

    public void Add(MqttStreamMessage message)
    {
        message.Position = _nextPosition++;
        message.Next = null;
        if (_tail is null)
        {
            _head = message;
        }
        else
        {
            _tail.Next = message;
        }

        _tail = message;
        _count++;
    }

    /// <summary>
    /// Now and then drops the undelivered messages that will never be delivered, so that they do not gather behind a consumer that takes long.
    /// </summary>
    public void Prune(Predicate<MqttStreamMessage> isDead)
    {
        if (_count >= _pruneAt)
        {
            RemoveUndelivered(isDead);
            _pruneAt = Math.Max(PruneFrom, 2 * _count);
        }
    }

    /// <summary>Removes those of the undelivered messages that match.</summary>
    public void RemoveUndelivered(Predicate<MqttStreamMessage> match)
    {
        var first = FirstUndelivered;
        MqttStreamMessage? before = null;
        for (var message = _head; message is not null; message = message.Next)
        {
            if (message.Position < first || !match(message))
            {
                before = message;
                continue;
            }

            _count--;
            if (before is null)
            {
                _head = message.Next;
            }
            else
            {
                before.Next = message.Next;
            }
        }

        _tail = before;
    }

    /// <summary>Adds a cursor in front of all unfinished messages.</summary>
    public void Add(MqttCacheCursor cursor)
    {
        cursor.Position = cursor.Finished = _head?.Position ?? _nextPosition;
        _cursors.Add(cursor);
    }

    public void Remove(MqttCacheCursor cursor) => _cursors.Remove(cursor);

    /// <summary>Returns the first message at or after <paramref name="position"/>.</summary>
    public MqttStreamMessage? Find(long position)
    {
        var message = _head;
        while (message is not null && message.Position < position)
        {
            message = message.Next;
        }

        return message;
    }

    /// <summary>Gets the deliveries that have done nothing but fail: when the first of them began and the last of them ended; <see langword="null"/> after a success.</summary>
    public (long Since, long Until)? Failing { get; private set; }

    public void RecordSuccess() => (_failuresInARow, Failing) = (0, null);

    /// <summary>A delivery failed; perhaps it is delivered again.</summary>
    /// <param name="began">When it began.</param>
    /// <param name="ended">When it failed.</param>
    /// <param name="continues">Whether it belongs to the failures before it.</param>
    public void NoteFailure(long began, long ended, bool continues) => Failing = (continues && Failing is { } failing ? failing.Since : began, ended);

    /// <summary>A message was given up.</summary>
    public void RecordFailure() => _failuresInARow++;

    /// <summary>The consumer does not even fail: it does not answer.</summary>
    public void RecordHang() => _failuresInARow = Math.Max(_failuresInARow, FailuresOfAFailingConsumer);

    /// <summary>Takes the first message that every cursor has passed, if there is one.</summary>
    public MqttStreamMessage? TakeFinished()
    {
        if (_head is null || _cursors.Count == 0)
        {
            return null;
        }

        var finished = _cursors[0].Finished;
        for (var i = 1; i < _cursors.Count; i++)
        {
            finished = Math.Min(finished, _cursors[i].Finished);
        }

        return _head.Position < finished ? TakeFirst() : null;
    }

    public MqttStreamMessage? TakeFirst()
    {
        if (_head is not { } message)
        {
            return null;
        }

        _count--;
        _head = message.Next;
        if (_head is null)
        {
            _tail = null;
        }

        message.Next = null;
        return message;
    }
}
