using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>What the turns of one contender in one row came to.</summary>
internal sealed class Measurement
{
    private readonly List<double> _milliseconds = [];
    private bool _sorted;

    public long Operations { get; private set; }

    public TimeSpan Elapsed { get; private set; }

    public Usage Used { get; private set; }

    public double PerSecond => Operations / Elapsed.TotalSeconds;

    public void Add(long operations, TimeSpan elapsed, Usage used, IEnumerable<double> milliseconds)
    {
        Operations += operations;
        Elapsed += elapsed;
        Used += used;
        _milliseconds.AddRange(milliseconds);
        _sorted = false;
    }

    /// <summary>Returns a percentile of the round trips in milliseconds, or <see langword="null"/> if none was timed.</summary>
    public double? Percentile(double share)
    {
        if (!_sorted)
        {
            _milliseconds.Sort();
            _sorted = true;
        }

        return _milliseconds.Count == 0 ? null : _milliseconds[(int)Math.Min(_milliseconds.Count - 1, share * _milliseconds.Count)];
    }

    /// <summary>Returns microseconds of processor time per operation.</summary>
    public double CostOf(TimeSpan cpu) => cpu.TotalMicroseconds / Math.Max(1, Operations);
}
