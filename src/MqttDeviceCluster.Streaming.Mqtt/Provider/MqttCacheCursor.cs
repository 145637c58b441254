using Orleans.Providers.Streams.Common;
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
    private readonly LinkedListNode<MqttCacheCursor> _watch;
    private IBatchContainer? _current;
    private MqttStreamMessage? _first;
    private MqttStreamMessage? _tried;
    private long _triedSince;
    private int _count;
    private bool _failed;
    private bool _disposed;

    public MqttCacheCursor(MqttQueueCache cache, MqttStreamBuffer buffer)
    {
        _cache = cache;
        _buffer = buffer;
        _watch = new(this);
        buffer.Add(this);
    }

    /// <summary>Gets or sets the position of the next message to hand out.</summary>
    public long Position { get; set; }

    /// <summary>Gets or sets the position below which this consumer is done with everything.</summary>
    public long Finished { get; set; }

    /// <summary>Gets when the current batch was handed out.</summary>
    public long DeliveringSince { get; private set; }

    /// <summary>Gets the messages that it hands out.</summary>
    public MqttStreamBuffer Buffer => _buffer;

    public IBatchContainer? GetCurrent(out Exception? exception)
    {
        exception = null;
        return _current;
    }

    public bool MoveNext()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_current is not null)
        {
            _cache.OnDeliveryEnded(_watch);
            if (_failed)
            {
                OnFailure();
            }
            else
            {
                _buffer.RecordSuccess();
                _tried = null;
            }
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
            _cache.OnDeliveryEnded(_watch);
            _cache.OnCursorDisposed(_buffer, this);
        }
    }

    /// <summary>
    /// The consumer does not come back. What it has is given up, and so is what waits behind it: its own call goes on, and may still succeed, but nobody else
    /// waits for it.
    /// </summary>
    public void GiveUp()
    {
        for (var message = _first; message is not null && message.Position < Position; message = message.Next)
        {
            if (!message.HasEnded && !_cache.IsObsolete(message))
            {
                _cache.DeadLetter(message, MqttRefusal.DeliveryTimedOut);
            }
        }

        _buffer.RecordHang();
        _cache.GiveUpUndelivered(_buffer);
    }

    private void OnFailure()
    {
        _cache.NoteFailure(_buffer, DeliveringSince);
        if (_cache.HoldsFailures(_buffer))
        {
            // The same again: what it needs fails for everyone, so nothing is given up and nothing acknowledged. But what the broker sends again, perhaps to
            // another silo, is left out.
            Position = _first!.Position;
        }
        else if (_count > 1)
        {
            // One of them is at fault: find it, and spare the others.
            _buffer.DeliverSinglyUntil = Position;
            Position = _first!.Position;
        }
        else if (!_first!.HasEnded && _cache.MayTryAgain(_triedSince))
        {
            // Alone: what has come meanwhile is not made to fail with it.
            Position = _first.Position;
            _buffer.DeliverSinglyUntil = Math.Max(_buffer.DeliverSinglyUntil, Position + 1);
        }
        else
        {
            _tried = null;
            _buffer.RecordFailure();
            _cache.DeadLetter(_first, MqttRefusal.DeliveryFailed);
        }
    }

    private bool TakeNext()
    {
        if (_buffer.IsFailing)
        {
            _cache.GiveUpUndelivered(_buffer);
        }

        var message = NextAlive(_buffer.Find(Position));
        var trial = _buffer.Trial;
        _buffer.Trial = null;
        if (message is null)
        {
            Finished = Position = _buffer.EndPosition;
            _cache.ReleaseFinished(_buffer);
            if (trial is null || _cache.IsObsolete(trial))
            {
                return false;
            }

            message = trial;
        }

        DeliveringSince = _cache.OnDeliveryBegins(_watch);
        if (_tried != message)
        {
            (_tried, _triedSince) = (message, DeliveringSince);
        }

        _first = message;
        _count = 1;
        Position = Math.Max(Position, message.Position + 1);
        var limit = message.Position < _buffer.DeliverSinglyUntil ? 1 : _cache.MaxBatchSize;
        if (limit == 1 || NextAlive(message.Next) is not { } second)
        {
            _current = message;
            return true;
        }

        List<object> events = [message.Event];
        List<EventSequenceTokenV2> tokens = [message.Token];
        var last = message;
        for (var next = second; next is not null && events.Count < limit; next = NextAlive(next.Next))
        {
            events.Add(next.Event);
            tokens.Add(next.Token);
            last = next;
        }

        _count = events.Count;
        Position = last.Position + 1;
        _current = new MqttStreamBatch(_buffer.StreamId, events, last.Token, tokens);
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
