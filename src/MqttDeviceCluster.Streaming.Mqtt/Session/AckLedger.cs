using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Where the acknowledgements of one connection go.</summary>
internal interface IAcknowledgementTarget
{
    /// <summary>Takes PUBACKs, in the order in which they are to be sent. Calls never overlap.</summary>
    void Acknowledge(IReadOnlyList<ushort> packetIds);
}

/// <summary>
/// The received and unacknowledged messages of one connection. A PUBACK goes out for the longest finished prefix, in arrival order
/// [MQTT-4.6.0-2]. Constant work per message; finishing never waits for a lock.
/// </summary>
/// <remarks>
/// The number of entries is not limited here: some brokers exceed the Receive Maximum. The ledger says when there are too many, and the session reads no
/// further until there is room. It holds places and no messages: a finished payload is free, however long its place is kept by an unfinished one before it.
/// </remarks>
internal sealed class AckLedger : IDisposable
{
    private readonly IAcknowledgementTarget _target;
    private readonly TimeProvider _timeProvider;
    private readonly TimeSpan? _overtakeAfter;
    private readonly long _epoch;
    private readonly Lock _lock = new();
    private readonly Queue<Entry> _entries = new();
    private readonly ConcurrentQueue<Entry> _late = new();
    private readonly ulong[] _ids = new ulong[(ushort.MaxValue + 1) / 64];
    private readonly List<ushort> _batch = [];
    private readonly ITimer? _timer;
    private TaskCompletionSource? _drained;
    private TaskCompletionSource? _room;
    private int _roomLimit;
    private int _requests;
    private int _unacknowledged;
    private volatile bool _ended;

    /// <param name="epoch">The number of the connection.</param>
    /// <param name="target">Where PUBACKs go.</param>
    /// <param name="overtakeAfter">How long an unfinished message holds back later ones; <see langword="null"/>: as long as it takes.</param>
    /// <param name="timeProvider">The time.</param>
    public AckLedger(long epoch, IAcknowledgementTarget target, TimeSpan? overtakeAfter, TimeProvider timeProvider)
    {
        _epoch = epoch;
        _target = target;
        _overtakeAfter = overtakeAfter;
        _timeProvider = timeProvider;
        if (overtakeAfter is { } limit)
        {
            var period = TimeSpan.FromMilliseconds(Math.Max(limit.TotalMilliseconds / 4, 5));
            _timer = timeProvider.CreateTimer(static ledger => ((AckLedger)ledger!).RequestPump(), this, period, period);
        }
    }

    /// <summary>Gets how many messages are not acknowledged. 0 once the connection has ended.</summary>
    public int Unacknowledged => _ended ? 0 : Volatile.Read(ref _unacknowledged);

    /// <summary>Enters a message in order of arrival. Returns false if its packet id is not acknowledged yet: the broker repeats itself.</summary>
    public bool TryAdd(MqttIncomingMessage message, ushort packetId, [NotNullWhen(true)] out MqttDelivery? delivery)
    {
        lock (_lock)
        {
            ref var word = ref _ids[packetId / 64];
            var bit = 1UL << (packetId % 64);
            if ((word & bit) != 0)
            {
                delivery = null;
                return false;
            }

            word |= bit;
            Entry entry = new(this, packetId, _overtakeAfter is null ? 0 : _timeProvider.GetTimestamp());
            _entries.Enqueue(entry);
            _unacknowledged++;
            delivery = new Delivery(message, _epoch, entry);
            return true;
        }
    }

    /// <summary>
    /// Returns <see langword="null"/> if at most <paramref name="limit"/> messages are unacknowledged, and otherwise what ends when that is so, or when the connection has ended.
    /// </summary>
    public Task? WhenAtMost(int limit)
    {
        if (Unacknowledged <= limit)
        {
            return null;
        }

        lock (_lock)
        {
            if (Unacknowledged <= limit)
            {
                return null;
            }

            _roomLimit = limit;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    /// <summary>Waits until everything is acknowledged, or the connection ends.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
        {
            if (Unacknowledged == 0)
            {
                return Task.CompletedTask;
            }

            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _drained.Task;
        }
    }

    /// <summary>The connection has ended: from now on finishing a message does nothing.</summary>
    public void Dispose()
    {
        _ended = true;
        _timer?.Dispose();
        lock (_lock)
        {
            _entries.Clear();
            _drained?.TrySetResult();
            _room?.TrySetResult();
        }
    }

    // The first to come works for all who come meanwhile.
    private void RequestPump()
    {
        if (_ended || Interlocked.Increment(ref _requests) != 1)
        {
            return;
        }

        int seen;
        do
        {
            seen = Volatile.Read(ref _requests);
            Pump();
        }
        while (Interlocked.Add(ref _requests, -seen) != 0);
    }

    private void Pump()
    {
        lock (_lock)
        {
            if (_ended)
            {
                return;
            }

            _batch.Clear();
            while (_late.TryDequeue(out var entry))
            {
                Acknowledge(entry);
            }

            while (_entries.TryPeek(out var head))
            {
                var isFinished = head.IsFinished;
                if (!isFinished)
                {
                    if (!IsOverdue(head))
                    {
                        break;
                    }

                    // It leaves the line and is acknowledged on its own, through _late, unless it was finished just now.
                    isFinished = !head.TryLeaveLine();
                }

                _entries.Dequeue();
                if (isFinished)
                {
                    Acknowledge(head);
                }
            }

            if (_batch.Count > 0)
            {
                // Only queues them; it never blocks.
                _target.Acknowledge(_batch);
                _unacknowledged -= _batch.Count;
                if (_room is { } room && _unacknowledged <= _roomLimit)
                {
                    _room = null;
                    room.TrySetResult();
                }

                if (_unacknowledged == 0)
                {
                    _drained?.TrySetResult();
                }
            }
        }
    }

    private void Acknowledge(Entry entry)
    {
        _ids[entry.PacketId / 64] &= ~(1UL << (entry.PacketId % 64));
        _batch.Add(entry.PacketId);
    }

    private bool IsOverdue(Entry head) => _overtakeAfter is { } limit && _timeProvider.GetElapsedTime(head.ArrivedAt) >= limit;

    private sealed class Delivery(MqttIncomingMessage message, long epoch, Entry entry) : MqttDelivery(message, epoch)
    {
        public override void Complete() => entry.Finish();
    }

    private sealed class Entry(AckLedger ledger, ushort packetId, long arrivedAt)
    {
        private const int Waiting = 0;
        private const int Overtaken = 1;
        private const int Finished = 2;

        private int _state;

        public ushort PacketId => packetId;

        public long ArrivedAt => arrivedAt;

        public bool IsFinished => Volatile.Read(ref _state) == Finished;

        public bool TryLeaveLine() => Interlocked.CompareExchange(ref _state, Overtaken, Waiting) == Waiting;

        public void Finish()
        {
            switch (Interlocked.Exchange(ref _state, Finished))
            {
                case Finished:
                    return;
                case Overtaken:
                    ledger._late.Enqueue(this);
                    break;
            }

            ledger.RequestPump();
        }
    }
}
