using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// Hands the pending messages of a stream to one consumer, as one batch. The agent calls <see cref="MoveNext"/> when the consumer is done with the current
/// batch: that is when its messages are finished. <see cref="Dispose"/> never finishes anything, since the agent disposes cursors when it shuts down.
/// </summary>
internal sealed class MqttCacheCursor : IQueueCacheCursor
{
    private readonly MqttQueueCache _cache;
    private readonly MqttStreamBuffer _buffer;
    private IBatchContainer? _current;
    private MqttStreamMessage? _first;
    private int _count;
    private bool _failed;
    private bool _disposed;

    public MqttCacheCursor(MqttQueueCache cache, MqttStreamBuffer buffer)
    {
        _cache = cache;
        _buffer = buffer;
        buffer.Add(this);
    }

    /// <summary>Gets or sets the position of the next message to hand out.</summary>
    public long Position { get; set; }

    /// <summary>Gets or sets the position below which this consumer is done with everything.</summary>
    public long Finished { get; set; }

    public IBatchContainer? GetCurrent(out Exception? exception)
    {
        exception = null;
        return _current;
    }

    public bool MoveNext()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_current is not null && _failed && OnFailure())
        {
            // The same batch again: what it needs fails for everyone, so nothing is given up and nothing acknowledged.
            return true;
        }

        if (_current is not null && !_failed)
        {
            _buffer.RecordSuccess();
        }

        _failed = false;
        _current = null;
        _first = null;
        Finished = Position;
        _cache.ReleaseFinished(_buffer);
        return TakeNext();
    }

    /// <summary>Nothing to do: new messages are found by the next <see cref="MoveNext"/>.</summary>
    public void Refresh(StreamSequenceToken token)
    {
    }

    public void RecordDeliveryFailure() => _failed = _current is not null;

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _cache.OnCursorDisposed(_buffer, this);
        }
    }

    /// <summary>Returns whether the batch is to be delivered again as it is.</summary>
    private bool OnFailure()
    {
        if (_cache.HoldFailures)
        {
            _failed = false;
            return true;
        }

        if (_count > 1)
        {
            // One of them is at fault: find it, and spare the others.
            _buffer.DeliverSinglyUntil = Position;
            Position = _first!.Position;
        }
        else
        {
            _buffer.RecordFailure();
            _cache.DeadLetter(_first!, MqttRefusal.DeliveryFailed);
        }

        return false;
    }

    private bool TakeNext()
    {
        var message = NextAlive(_buffer.Find(Position));
        if (message is not null && _buffer.IsFailing)
        {
            // Only the newest is tried until the consumer recovers. The others would each hold the connection's window for the whole delivery time.
            while (NextAlive(message.Next) is { } newer)
            {
                _cache.DeadLetter(message, MqttRefusal.ConsumerFailing);
                message = newer;
            }
        }

        if (message is null)
        {
            Finished = Position = _buffer.EndPosition;
            _cache.ReleaseFinished(_buffer);
            return false;
        }

        _first = message;
        _count = 1;
        Position = message.Position + 1;
        var limit = message.Position < _buffer.DeliverSinglyUntil ? 1 : _cache.MaxBatchSize;
        if (limit == 1 || NextAlive(message.Next) is not { } second)
        {
            _current = message;
            return true;
        }

        List<object> events = [message.Event];
        var last = message;
        for (var next = second; next is not null && events.Count < limit; next = NextAlive(next.Next))
        {
            events.Add(next.Event);
            last = next;
        }

        _count = events.Count;
        Position = last.Position + 1;
        _current = new MqttStreamBatch(_buffer.StreamId, events, last.Token);
        return true;
    }

    private MqttStreamMessage? NextAlive(MqttStreamMessage? message)
    {
        while (message is not null && (message.HasEnded || _cache.IsObsolete(message)))
        {
            message = message.Next;
        }

        return message;
    }
}
