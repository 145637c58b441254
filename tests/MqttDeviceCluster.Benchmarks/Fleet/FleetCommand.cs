using System.CommandLine;
using MqttDeviceCluster.Benchmarks.Compare;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>The verb <c>fleet</c>.</summary>
internal static class FleetCommand
{
    public static Command Create()
    {
        Option<int> devices = CompareCommand.Number("--devices", 100_000, 1_000, 1_000_000, "How many devices a large fleet has.");
        Option<int> stored = CompareCommand.Number("--stored", 1_000_000, 1_000, 10_000_000, "How many devices the directory of the row 'start' holds.");
        Option<int> warm = CompareCommand.Number("--warm", 20_000, 1_000, 1_000_000, "How many devices are in memory in the rows 'heap' and 'start'.");
        Option<int> inFlight = CompareCommand.Number("--inflight", 200, 1, 1_000, "How many commands are in flight, each to another device.");
        Option<int> seconds = CompareCommand.Number("--seconds", 5, 1, 3_600, "How long a turn is measured, in seconds.");
        Option<int> rounds = CompareCommand.Number("--rounds", 3, 1, 100, "How many turns each side has.");
        Option<string[]> rows = new("--rows") { Description = $"Which rows: {string.Join(", ", FleetRows.Names)}. Default: all.", AllowMultipleArgumentsPerToken = true };
        rows.AcceptOnlyFromAmong([.. FleetRows.Names]);
        Command command = new("fleet", "Measures how the service behaves as the fleet grows, against itself with a small one.")
        {
            devices, stored, warm, inFlight, seconds, rounds, rows,
        };
        command.SetAction((parsed, cancellationToken) => BenchmarkException.ToExitCodeAsync(async () =>
        {
            await new FleetRows(new()
            {
                Devices = parsed.GetValue(devices),
                Stored = parsed.GetValue(stored),
                Warm = parsed.GetValue(warm),
                InFlight = parsed.GetValue(inFlight),
                Turn = TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                Rounds = parsed.GetValue(rounds),
                Rows = parsed.GetValue(rows) ?? [],
            }).RunAsync(Console.Out, cancellationToken);
        }));
        return command;
    }
}
