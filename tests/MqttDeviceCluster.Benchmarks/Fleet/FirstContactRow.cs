using System.Diagnostics;
using MqttDeviceCluster.Benchmarks.Compare;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>A fleet that nobody has heard of says its first word, all at once as after a power cut and at a steady pace, while others are commanded at a steady pace.</summary>
internal static class FirstContactRow
{
    private const int Warm = 100;
    private const int Callers = 10;
    private const int Pace = 5_000;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(8);

    public static async Task<FleetResult> RunAsync(FleetOptions options, CancellationToken cancellationToken)
    {
        // The warm devices have the highest numbers. Of the others, which are new, some are there to have the code compiled, then each measurement has its own.
        var (others, compiled) = (options.Devices, options.Devices / 2);
        var firstWarm = compiled + (2 * others);
        await using var side = await Side.StartAsync(firstWarm + Warm, cancellationToken);
        await IntroduceAsync(0, null, compiled);
        List<double> quiet = [];
        await ProbeAsync(side, firstWarm, Task.Delay(Quiet, cancellationToken), quiet);

        var atOnce = await IntroduceAsync(compiled, null, others);
        var paced = await IntroduceAsync(compiled + others, Pace, others);
        var quietP99 = Percentile(quiet, 0.99);
        return new($"first message of {others:#,0} unknown devices, beside {Warm} warm ones", new Dictionary<string, double>
        {
            ["warm p50 ms quiet"] = Percentile(quiet, 0.5),
            ["warm p99 ms quiet"] = quietP99,
            ["at once: devices/s"] = others / atOnce.Elapsed.TotalSeconds,
            ["warm p50 ms"] = Percentile(atOnce.Times, 0.5),
            ["warm p99 ms"] = Percentile(atOnce.Times, 0.99),
            ["p99 ratio"] = Percentile(atOnce.Times, 0.99) / quietP99,
            ["commands"] = atOnce.Times.Count,
            ["timed out"] = atOnce.TimedOut,
            [$"at {Pace:#,0}/s: devices/s"] = others / paced.Elapsed.TotalSeconds,
            ["paced: warm p50 ms"] = Percentile(paced.Times, 0.5),
            ["paced: warm p99 ms"] = Percentile(paced.Times, 0.99),
            ["paced: p99 ratio"] = Percentile(paced.Times, 0.99) / quietP99,
            ["paced: commands"] = paced.Times.Count,
            ["paced: timed out"] = paced.TimedOut,
        });

        async Task<(TimeSpan Elapsed, List<double> Times, int TimedOut)> IntroduceAsync(int from, int? perSecond, int count)
        {
            var probes = 0L;
            List<double> times = [];
            var introducing = side.Turns.IntroduceAsync(side.Service, count, others: () => Volatile.Read(ref probes), slack: Callers, from: from, perSecond: perSecond);
            var timedOut = await ProbeAsync(side, firstWarm, introducing, times, () => Interlocked.Increment(ref probes));
            return (await introducing, times, timedOut);
        }
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
