using System.Collections.Immutable;
using System.Threading.Channels;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>
/// One watch's events on this silo: a bounded queue that never makes a device wait. Each event that passes takes a number, dropped ones included, so that a
/// reader sees by a jump what it missed. Thread-safe.
/// </summary>
internal sealed class WatchSubscription
{
    private readonly Lock _lock = new();
    private readonly Queue<(long Number, DeviceEvent Event)> _queue = new();

    // Holds one item or none: that there may be something to take.
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly List<string> _lostSilos = [];
    private readonly WatchOptions _options;
    private readonly long _after;

    // The number that the next event gets, and the one that the next batch should begin with.
    private long _next;
    private long _taken;
    private long _delivered;
    private bool _leaving;

    /// <param name="options">What the watch is told.</param>
    /// <param name="after">Versions of the one watched device up to this are known already.</param>
    public WatchSubscription(WatchOptions options, long after = -1)
    {
        _options = options;
        _after = after;
    }

    public Guid Id { get; } = Guid.NewGuid();

    public WatchOptions Options => _options;

    /// <summary>Gets the number that the next event gets.</summary>
    public long Next
    {
        get
        {
            lock (_lock)
            {
                return _next;
            }
        }
    }

    /// <summary>Gets the number up to which the watcher has everything that was not dropped.</summary>
    public long Delivered => Volatile.Read(ref _delivered);

    /// <summary>Takes an event if the watch asks for it. Returns <see langword="false"/> if it does, and there is no room.</summary>
    /// <param name="value">The event.</param>
    /// <param name="version">The version of its device's state.</param>
    public bool TryOffer(DeviceEvent value, long version)
    {
        if (version <= _after || !Passes(value))
        {
            return true;
        }

        lock (_lock)
        {
            var hasRoom = _queue.Count < _options.BufferSize;
            if (hasRoom)
            {
                _queue.Enqueue((_next, value));
            }

            _next++;
            Signal();
            return hasRoom;
        }
    }

    /// <summary>Tells that a silo died.</summary>
    public void NoteLost(string silo)
    {
        lock (_lock)
        {
            _lostSilos.Add(silo);
            Signal();
        }
    }

    /// <summary>Tells that this silo is leaving: what is in the queue is the end.</summary>
    public void NoteLeaving()
    {
        lock (_lock)
        {
            _leaving = true;
            Signal();
        }
    }

    /// <summary>Notes that the watcher has a batch.</summary>
    public void NoteDelivered(WatchBatch batch) => Volatile.Write(ref _delivered, batch.First + batch.Events.Length);

    /// <summary>Waits until there may be something to take.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => _signal.Reader.ReadAsync(cancellationToken);

    /// <summary>Takes what is there, or returns <see langword="null"/> if there is nothing.</summary>
    public WatchBatch? TryTake(WatchSource source, int max)
    {
        lock (_lock)
        {
            // After a jump the batch is empty when the events that were dropped are the last: the reader hears of them now and not with the next event.
            var first = _queue.TryPeek(out var head) ? head.Number : _next;
            if (first == _taken && _queue.Count == 0 && _lostSilos.Count == 0 && !_leaving)
            {
                return null;
            }

            var events = ImmutableArray.CreateBuilder<DeviceEvent>(Math.Min(max, _queue.Count));
            var next = first;
            while (events.Count < max && _queue.TryPeek(out head) && head.Number == next)
            {
                events.Add(_queue.Dequeue().Event);
                next++;
            }

            _taken = next;
            WatchBatch batch = new(source, first, events.DrainToImmutable(), _leaving && _taken == _next, [.. _lostSilos]);
            _lostSilos.Clear();
            if (_taken != _next)
            {
                Signal();
            }

            return batch;
        }
    }

    private bool Passes(DeviceEvent value)
    {
        if (value.DeviceId is { } deviceId
            && ((_options.DeviceId is { } only && only != deviceId)
                || (_options.DeviceIdPrefix is { } prefix && !deviceId.StartsWith(prefix, StringComparison.Ordinal))))
        {
            return false;
        }

        return value switch
        {
            PinEvent pin => (pin.Changed || _options.IncludeUnchanged) && (_options.Pins is null || _options.Pins.Matches(pin.Update)),
            GapEvent => true,
            _ => _options.IncludePresence,
        };
    }

    private void Signal() => _signal.Writer.TryWrite(true);
}
