using MqttDeviceCluster.Simulator.Connection;

namespace MqttDeviceCluster.Simulator;

/// <summary>
/// Holds back what a device sends until it is due. One timer for all of it, so that what is due first leaves first, and what is due
/// together leaves in the order of the calls.
/// </summary>
internal sealed class DelayLine(Action<OutgoingMessage> send, TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<OutgoingMessage, (long Due, long Number)> _waiting = new();
    private ITimer? _timer;
    private long _number;
    private long _lastDue;
    private bool _stopped;

    public void Add(OutgoingMessage message, TimeSpan delay, bool keepOrder)
    {
        lock (_lock)
        {
            if (_stopped)
            {
                return;
            }

            var due = timeProvider.GetTimestamp() + (long)(delay.TotalSeconds * timeProvider.TimestampFrequency);
            if (keepOrder)
            {
                due = Math.Max(due, _lastDue);
                _lastDue = due;
                if (_waiting.Count == 0 && due <= timeProvider.GetTimestamp())
                {
                    send(message);
                    return;
                }
            }

            _waiting.Enqueue(message, (due, _number++));
            Arm();
        }
    }

    public void Stop()
    {
        lock (_lock)
        {
            _stopped = true;
            _waiting.Clear();
            _timer?.Dispose();
        }
    }

    private void Arm()
    {
        if (!_waiting.TryPeek(out _, out var next))
        {
            return;
        }

        var left = timeProvider.GetElapsedTime(timeProvider.GetTimestamp(), next.Due);
        // Timers count whole milliseconds: round up, or a message would be looked at before it is due.
        var due = TimeSpan.FromMilliseconds(Math.Max(0, Math.Ceiling(left.TotalMilliseconds)));
        _timer ??= timeProvider.CreateTimer(static self => ((DelayLine)self!).SendDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void SendDue()
    {
        lock (_lock)
        {
            if (_stopped)
            {
                return;
            }

            var now = timeProvider.GetTimestamp();
            while (_waiting.TryPeek(out var message, out var next) && next.Due <= now)
            {
                _waiting.Dequeue();
                send(message);
            }

            Arm();
        }
    }
}
