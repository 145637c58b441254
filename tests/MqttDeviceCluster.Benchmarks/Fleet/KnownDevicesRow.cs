using MqttDeviceCluster.Benchmarks.Compare;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>Commands to all of a large fleet, against commands to all of a small one, in turns.</summary>
internal static class KnownDevicesRow
{
    private const int Small = 1_000;
    private static readonly TimeSpan Compile = TimeSpan.FromSeconds(12);

    public static async Task<FleetResult> RunAsync(FleetOptions options, CancellationToken cancellationToken)
    {
        await using var few = await Side.StartAsync(Small, cancellationToken);
        await using var many = await Side.StartAsync(options.Devices, cancellationToken);
        await few.Turns.IntroduceAsync(few.Service, Small);
        await many.Turns.IntroduceAsync(many.Service, options.Devices);
        Measurement[] results = [new(), new()];
        for (var round = 0; round <= options.Rounds; round++)
        {
            foreach (var (side, devices, into) in ((Side, int, Measurement)[])[(few, Small, results[0]), (many, options.Devices, results[1])])
            {
                await side.Turns.CommandsAsync(side.Service, options.InFlight, devices, round == 0 ? Compile : options.Turn, round == 0 ? null : into);
            }
        }

        var (small, large) = (results[0], results[1]);
        return new($"commands/s, {options.InFlight} in flight, {options.Devices:#,0} known devices over {Small:#,0}", new Dictionary<string, double>
        {
            ["commands/s small"] = small.PerSecond,
            ["commands/s large"] = large.PerSecond,
            ["throughput ratio"] = large.PerSecond / small.PerSecond,
            ["p99 ms small"] = small.Percentile(0.99)!.Value,
            ["p99 ms large"] = large.Percentile(0.99)!.Value,
            ["p99 ratio"] = large.Percentile(0.99)!.Value / small.Percentile(0.99)!.Value,
        });
    }
}
