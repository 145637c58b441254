using System.Collections.Immutable;

namespace MqttDeviceCluster.Simulator;

/// <summary>Lets each device report once in an interval, spread evenly: one timer for the whole fleet.</summary>
internal sealed class ReportSchedule : IDisposable
{
    private static readonly TimeSpan ShortestTick = TimeSpan.FromMilliseconds(10);

    private readonly ImmutableArray<SimulatedDevice> _devices;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _timeProvider;
    private readonly long _start;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private long _reported;

    public ReportSchedule(ImmutableArray<SimulatedDevice> devices, TimeSpan interval, TimeProvider timeProvider)
    {
        (_devices, _interval, _timeProvider) = (devices, interval, timeProvider);
        _start = timeProvider.GetTimestamp();
        var tick = interval / devices.Length;
        tick = tick < ShortestTick ? ShortestTick : tick;
        _timer = timeProvider.CreateTimer(static self => ((ReportSchedule)self!).Tick(), this, tick, tick);
    }

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        // A tick that comes while another one still reports finds its work done by that one, or does it at the next.
        if (!_lock.TryEnter())
        {
            return;
        }

        try
        {
            var due = (long)(_timeProvider.GetElapsedTime(_start) / _interval * _devices.Length);
            // After a pause of the process: skip whole rounds rather than flood the broker.
            _reported = Math.Max(_reported, due - _devices.Length);
            for (; _reported < due; _reported++)
            {
                _devices[(int)(_reported % _devices.Length)].Report();
            }
        }
        finally
        {
            _lock.Exit();
        }
    }
}
