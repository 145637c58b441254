using MqttDeviceCluster.Benchmarks.Compare;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>What a device that is in memory costs: its grain, its entry in the stream provider and its pins.</summary>
internal static class WarmHeapRow
{
    private const int Pins = 8;

    public static async Task<FleetResult> RunAsync(FleetOptions options, CancellationToken cancellationToken)
    {
        await using var side = await Side.StartAsync(options.Warm, cancellationToken);

        // What is made once, by the first devices, is no device's.
        await side.Turns.IntroduceAsync(side.Service, Math.Min(1_000, options.Warm / 2), Pins);
        var known = Math.Min(1_000, options.Warm / 2);
        var before = await HeapAsync(cancellationToken);
        await side.Turns.IntroduceAsync(side.Service, options.Warm, Pins);
        var after = await HeapAsync(cancellationToken);
        return new($"managed heap per warm device with {Pins} pins, {options.Warm:#,0} devices", new Dictionary<string, double>
        {
            ["bytes/device"] = (after - before) / (double)(options.Warm - known),
            ["heap MB before"] = before / 1e6,
            ["heap MB after"] = after / 1e6,
        });
    }

    // Buffers and queues that served the burst may go first.
    private static async Task<long> HeapAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
