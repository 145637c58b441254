using System.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>How late this process is to what it has to do: what it stamps with a time is stamped so much too late on a busy machine.</summary>
internal sealed class Lag : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(50);

    private readonly List<(DateTimeOffset At, TimeSpan Late)> _samples = [];
    private readonly CancellationTokenSource _enough = new();
    private readonly Task _run;

    public Lag() => _run = Task.Run(RunAsync);

    /// <summary>Gets the longest that it was late in a span of time.</summary>
    public TimeSpan LongestWithin(DateTimeOffset from, DateTimeOffset to)
    {
        lock (_samples)
        {
            // What was late until after the end began before it.
            return _samples.Where(sample => sample.At >= from && sample.At - sample.Late <= to).Select(static sample => sample.Late).DefaultIfEmpty().Max();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _run;
        _enough.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_enough.IsCancellationRequested)
        {
            var started = Stopwatch.GetTimestamp();
            await Task.Delay(Period, _enough.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var late = Stopwatch.GetElapsedTime(started) - Period;
            lock (_samples)
            {
                _samples.Add((TimeProvider.System.GetUtcNow(), late));
            }
        }
    }
}
