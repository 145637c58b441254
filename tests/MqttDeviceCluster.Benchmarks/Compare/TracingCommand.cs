using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>
/// The verb <c>tracing</c>: the service with telemetry off, and with traces of a share of its commands and all metrics and logs exported to a sink. A process has one set of listeners,
/// so each side has a process of its own, with its own broker and devices. All are there for the whole run and work in short turns: what a machine does in a second and what it does
/// half a minute later may differ by a fifth, and two silos that are like each other with it.
/// </summary>
internal static class TracingCommand
{
    private const string Off = "off";
    private const string Baseline = "baseline";

    private static readonly string[] Signals = ["traces", "metrics", "logs"];

    public static Command Create()
    {
        Option<int> seconds = CompareCommand.Number("--seconds", 1, 1, 3_600, "How long a turn is, in seconds.");
        Option<int> rounds = CompareCommand.Number("--rounds", 60, 20, 10_000, "How many turns each side has.");
        Option<int> devices = CompareCommand.Number("--devices", 1_000, 1, 1_000_000, "How many devices take commands, and send updates.");
        Option<int> inFlight = CompareCommand.Number("--inflight", 200, 1, 10_000, "How many commands are in flight.");
        Option<string[]> shares = new("--share")
        {
            Description = "What to compare with the first: off, or the share of commands that are traced. Default: off 0.01.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [Off, "0.01"],
        };
        shares.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string[]>() is { } given
                && Array.Find(given, static share => share != Off && !(double.TryParse(share, NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1)) is { } wrong)
            {
                result.AddError($"--share must be off, or 0 to 1, but is {wrong}.");
            }
        });
        Option<string[]> signals = new("--signals")
        {
            Description = "What is exported: traces, metrics, logs; none shows how much two like silos differ. Default: all.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => Signals,
        };
        signals.AcceptOnlyFromAmong([.. Signals, "none"]);
        Option<string?> baseline = new("--baseline") { Description = "This program as built from other sources: compared first, with telemetry off." };
        Option<bool> updates = new("--updates") { Description = "Also measures updates: counted by a metric that a --baseline must have." };
        Command command = new("tracing", "Measures what telemetry costs: the service with telemetry off and with a share of its commands traced, in short turns.")
        {
            seconds, rounds, devices, inFlight, shares, signals, baseline, updates,
        };
        command.Validators.Add(CompareCommand.EachToAnother(devices, inFlight));
        command.SetAction((parsed, cancellationToken) => BenchmarkException.ToExitCodeAsync(async () =>
        {
            await using Sides sides = new(await TelemetrySink.StartAsync());
            string[] arguments = ["side", "--devices", Text(parsed.GetValue(devices)), "--inflight", Text(parsed.GetValue(inFlight))];
            if (parsed.GetValue(baseline) is { } program)
            {
                await sides.AddAsync(Baseline, program, arguments, [], cancellationToken);
            }

            foreach (var share in parsed.GetValue(shares)!)
            {
                var (file, own) = OwnProgram.With(arguments);
                await sides.AddAsync(share, file, own, share == Off ? [] : Variables(share, parsed.GetValue(signals)!, sides.Sink.Url), cancellationToken);
            }

            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{Environment.ProcessorCount} cores, {parsed.GetValue(rounds)} turns of {parsed.GetValue(seconds)} s for each side, {parsed.GetValue(inFlight)} commands in flight, {parsed.GetValue(devices)} devices"));
            await sides.MeasureAsync(SideCommand.Commands, parsed.GetValue(rounds), parsed.GetValue(seconds), cancellationToken);
            if (parsed.GetValue(updates))
            {
                await sides.MeasureAsync(SideCommand.Updates, parsed.GetValue(rounds), parsed.GetValue(seconds), cancellationToken);
            }
        }));
        return command;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    // As an operator does it: by the environment alone.
    private static Dictionary<string, string> Variables(string share, string[] signals, Uri sink)
    {
        Dictionary<string, string> variables = new()
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.OriginalString,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio",
            ["OTEL_TRACES_SAMPLER_ARG"] = share,

            // What a turn causes goes out in that turn. For metrics that is sixty times as often as by default.
            ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
            ["OTEL_BLRP_SCHEDULE_DELAY"] = "200",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "1000",
        };
        foreach (var signal in Signals.Except(signals))
        {
            variables[$"OTEL_{signal.ToUpperInvariant()}_EXPORTER"] = "none";
        }

        return variables;
    }

    private sealed class Sides(TelemetrySink sink) : IAsyncDisposable
    {
        private readonly List<(string Name, LineProcess Process)> _sides = [];

        public TelemetrySink Sink => sink;

        public async Task AddAsync(string name, string file, string[] arguments, Dictionary<string, string> variables, CancellationToken cancellationToken) =>
            _sides.Add((name, await LineProcess.StartAsync($"The silo '{name}'", file, arguments, variables, cancellationToken)));

        public async Task MeasureAsync(string what, int rounds, double seconds, CancellationToken cancellationToken)
        {
            foreach (var side in _sides)
            {
                await TakeAsync(side.Process, what, Comparison.Compile.TotalSeconds, cancellationToken);
            }

            var slices = _sides.ConvertAll(_ => new List<Slice>());
            var (requests, bytes) = (sink.Requests, sink.Bytes);
            for (var round = 0; round < rounds; round++)
            {
                // There and back, so that whatever drifts hits all alike.
                for (var i = 0; i < _sides.Count; i++)
                {
                    var index = round % 2 == 0 ? i : _sides.Count - 1 - i;
                    slices[index].Add(await TakeAsync(_sides[index].Process, what, seconds, cancellationToken));
                }
            }

            Console.WriteLine();
            Console.WriteLine($"| {what,-8} |     /s | of the first (95 %) | p50 / p99 ms  | µs CPU each (beside the first) | bytes each |");
            Console.WriteLine("|----------|-------:|--------------------:|--------------:|-------------------------------:|-----------:|");
            for (var i = 0; i < _sides.Count; i++)
            {
                var ratio = Estimate.Of(slices[i].Zip(slices[0], static (slice, first) => slice.PerSecond / first.PerSecond));
                var cost = Estimate.Of(slices[i].Zip(slices[0], static (slice, first) => (slice.CpuMicroseconds / slice.Operations) - (first.CpuMicroseconds / first.Operations)));
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {_sides[i].Name,-8} | {Mean(slices[i], slice => slice.PerSecond),6:N0} | {$"{100 * ratio.Mean:0.0} ± {100 * ratio.Margin:0.0} %",19} | {Mean(slices[i], slice => slice.Median),5:0.0} / {Mean(slices[i], slice => slice.Percentile99),5:0.0} | {$"{Mean(slices[i], slice => slice.CpuMicroseconds / slice.Operations):0.0} ({cost.Mean:+0.0;-0.0;0} ± {cost.Margin:0.0})",30} | {Mean(slices[i], slice => (double)slice.Allocated / slice.Operations),10:N0} |"));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The sink took {sink.Requests - requests} requests, {(sink.Bytes - bytes) / 1e6:0.0} MB."));
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var (_, process) in _sides)
            {
                await process.DisposeAsync();
            }

            await sink.DisposeAsync();
        }

        private static double Mean(List<Slice> slices, Func<Slice, double> value) => slices.Average(value);

        private static async Task<Slice> TakeAsync(LineProcess process, string what, double seconds, CancellationToken cancellationToken)
        {
            process.Say(string.Create(CultureInfo.InvariantCulture, $"{what} {seconds}"));
            return JsonSerializer.Deserialize<Slice>(await process.ReadAsync(cancellationToken)) ?? throw new BenchmarkException("A silo answered nothing.");
        }
    }
}

/// <summary>A mean, and how far from it the true value is in nineteen cases of twenty, if the values do not depend on each other.</summary>
internal readonly record struct Estimate(double Mean, double Margin)
{
    public static Estimate Of(IEnumerable<double> values)
    {
        var all = values.ToList();
        var mean = all.Average();
        var deviation = Math.Sqrt(all.Sum(value => (value - mean) * (value - mean)) / (all.Count - 1));
        return new(mean, 1.96 * deviation / Math.Sqrt(all.Count));
    }
}
