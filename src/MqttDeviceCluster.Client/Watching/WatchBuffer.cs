using System.Threading.Channels;

namespace MqttDeviceCluster;

/// <summary>
/// Events that wait for one reader, bounded: what does not fit is dropped and becomes one gap. Any thread may add.
/// </summary>
internal sealed class WatchBuffer(int capacity, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Queue<DeviceEvent> _queue = new();

    // Holds one item or none: that there may be something to take.
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private long _missed;
    private bool _missedUnknown;

    public void Add(DeviceEvent value)
    {
        lock (_lock)
        {
            if (_queue.Count >= capacity)
            {
                _missedUnknown |= value is GapEvent { Missed: null };
                _missed += value is GapEvent { Missed: { } missed } ? missed : value is GapEvent ? 0 : 1;
            }
            else
            {
                EndGap();
                _queue.Enqueue(value);
            }

            _signal.Writer.TryWrite(true);
        }
    }

    /// <summary>Waits for the next event.</summary>
    public async ValueTask<DeviceEvent> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_lock)
            {
                if (_queue.Count == 0)
                {
                    // The events that were dropped are the last ones: the reader hears of them now and not with the next event.
                    EndGap();
                }

                if (_queue.TryDequeue(out var value))
                {
                    return value;
                }
            }

            await _signal.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void EndGap()
    {
        if (_missed > 0 || _missedUnknown)
        {
            _queue.Enqueue(new GapEvent(null, time.GetUtcNow(), GapReason.SlowWatcher, _missedUnknown ? null : _missed));
            (_missed, _missedUnknown) = (0, false);
        }
    }
}
