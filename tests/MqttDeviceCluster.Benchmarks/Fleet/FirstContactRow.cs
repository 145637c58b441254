using System.Diagnostics;
using MqttDeviceCluster.Benchmarks.Compare;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>A fleet that nobody has heard of says its first word all at once, as after a power cut, while others are commanded at a steady pace.</summary>
internal static class FirstContactRow
{
    private const int Warm = 100;
    private const int Callers = 10;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(8);

    public static async Task<FleetResult> RunAsync(FleetOptions options, CancellationToken cancellationToken)
    {
        // The warm devices have the highest numbers: the others are the first ones, and new.
        await using var side = await Side.StartAsync(options.Devices + Warm, cancellationToken);
        await ProbeAsync(side, options.Devices, Task.Delay(Quiet, cancellationToken), null);
        List<double> quiet = [], loaded = [];
        await ProbeAsync(side, options.Devices, Task.Delay(Quiet, cancellationToken), quiet);

        var probes = 0L;
        var introducing = side.Turns.IntroduceAsync(side.Service, options.Devices, others: () => Volatile.Read(ref probes), slack: Callers);
        var timedOut = await ProbeAsync(side, options.Devices, introducing, loaded, () => Interlocked.Increment(ref probes));
        var elapsed = await introducing;

        var (before, during) = (Percentile(quiet, 0.99), Percentile(loaded, 0.99));
        return new($"first message of {options.Devices:#,0} unknown devices, beside {Warm} warm ones", new Dictionary<string, double>
        {
            ["devices/s"] = options.Devices / elapsed.TotalSeconds,
            ["warm p50 ms quiet"] = Percentile(quiet, 0.5),
            ["warm p50 ms meanwhile"] = Percentile(loaded, 0.5),
            ["warm p99 ms quiet"] = before,
            ["warm p99 ms meanwhile"] = during,
            ["p99 ratio"] = during / before,
            ["commands meanwhile"] = loaded.Count,
            ["timed out"] = timedOut,
        });
    }

    // Returns how many timed out.
    private static async Task<int> ProbeAsync(Side side, int firstWarm, Task until, List<double>? into, Action? ended = null)
    {
        Lock gate = new();
        var failures = 0;
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(CallAsync));
        return failures;

        async Task CallAsync(int caller)
        {
            var high = false;
            for (var i = caller; !until.IsCompleted; i += Callers)
            {
                if (i % Warm < Callers)
                {
                    // Once around: each pass changes every device.
                    high = !high;
                }

                var started = Stopwatch.GetTimestamp();
                var failed = false;
                try
                {
                    await side.Service.SetAsync(firstWarm + (i % Warm), high);
                    ended?.Invoke();
                }
                catch (DeviceTimeoutException)
                {
                    // It counts with the time that it took. Its update may still come: one more or less does not matter among so many.
                    failed = true;
                }

                var elapsed = Stopwatch.GetElapsedTime(started);
                lock (gate)
                {
                    into?.Add(elapsed.TotalMilliseconds);
                    failures += failed ? 1 : 0;
                }

                await Task.Delay(Pause);
            }
        }
    }

    private static double Percentile(List<double> values, double share)
    {
        values.Sort();
        return values[(int)Math.Min(values.Count - 1, share * values.Count)];
    }
}
