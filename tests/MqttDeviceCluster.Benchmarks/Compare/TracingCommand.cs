using System.CommandLine;
using System.Globalization;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>
/// The verb <c>tracing</c>: the service with telemetry off, and with traces of a share of its commands and all metrics and logs exported to a sink, in turns. A process has one set of
/// listeners, so each turn has a silo of its own.
/// </summary>
internal static class TracingCommand
{
    private const int WarmUpSeconds = 4;

    private static readonly string[] Signals = ["traces", "metrics", "logs"];

    public static Command Create()
    {
        Option<int> seconds = new("--seconds") { Description = "How long a turn is measured, in seconds. Default 8.", DefaultValueFactory = _ => 8 };
        Option<int> rounds = new("--rounds") { Description = "How many turns each share has. Default 3.", DefaultValueFactory = _ => 3 };
        Option<int> devices = new("--devices") { Description = "How many devices take commands, and send updates. Default 1000.", DefaultValueFactory = _ => 1000 };
        Option<int> inFlight = new("--inflight") { Description = "How many commands are in flight. Default 200.", DefaultValueFactory = _ => 200 };
        Option<string[]> shares = new("--share")
        {
            Description = "What to compare: off, or the share of commands that are traced. Default: off 0.01.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => ["off", "0.01"],
        };
        Option<string[]> signals = new("--signals")
        {
            Description = "What is exported: traces, metrics, logs; none shows how much two like silos differ. Default: all.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => Signals,
        };
        signals.AcceptOnlyFromAmong([.. Signals, "none"]);
        Command command = new("tracing", "Measures what telemetry costs: the service with telemetry off and with a share of its commands traced, in turns.") { seconds, rounds, devices, inFlight, shares, signals };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(shares)!, parsed.GetValue(signals)!, parsed.GetValue(rounds), TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(devices), parsed.GetValue(inFlight), cancellationToken));
        return command;
    }

    private static async Task RunAsync(string[] shares, string[] signals, int rounds, TimeSpan turn, int deviceCount, int inFlight, CancellationToken cancellationToken)
    {
        await using var mosquitto = await Mosquitto.StartAsync(cancellationToken);
        await using var devices = await DeviceProcess.StartAsync(mosquitto.Url, cancellationToken);
        await using var sink = await TelemetrySink.StartAsync();
        var results = shares.ToDictionary(share => share, _ => (Commands: new Measurement(), Updates: new Measurement(), Requests: 0L, Bytes: 0L));

        // The first round compiles; then there and back, so that whatever drifts hits all alike.
        for (var round = 0; round <= rounds; round++)
        {
            foreach (var share in round % 2 == 0 ? shares : shares.Reverse())
            {
                var result = results[share];
                var (requests, bytes) = (sink.Requests, sink.Bytes);
                await MeasureAsync(share, round > 0 ? result.Commands : null, round > 0 ? result.Updates : null);
                results[share] = round == 0 ? result : result with { Requests = result.Requests + sink.Requests - requests, Bytes = result.Bytes + sink.Bytes - bytes };
            }
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores, {rounds} turns of {turn.TotalSeconds:0} s each, {inFlight} commands in flight, {deviceCount} devices"));
        Console.WriteLine("| tracing | commands/s |        | p50 / p99 ms  | µs CPU/command | B/command | updates/s |        | OTLP requests | MB |");
        Console.WriteLine("|---------|-----------:|-------:|--------------:|---------------:|----------:|----------:|-------:|--------------:|---:|");
        var first = results[shares[0]];
        foreach (var share in shares)
        {
            var (commands, updates, requests, bytes) = results[share];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {share,-7} | {commands.PerSecond,10:N0} | {commands.PerSecond / first.Commands.PerSecond,6:P1} | {commands.Percentile(0.5),5:0.0} / {commands.Percentile(0.99),5:0.0} | {commands.CostOf(commands.Used.Self),14:0.0} | {commands.Used.Allocated / Math.Max(1, commands.Operations),9} | {updates.PerSecond,9:N0} | {updates.PerSecond / first.Updates.PerSecond,6:P1} | {requests,13} | {bytes / 1e6,2:0.0} |"));
        }

        async Task MeasureAsync(string share, Measurement? commands, Measurement? updates)
        {
            using var variables = Variables(share, signals, sink.Url);
            await using var service = await Service.StartAsync(mosquitto.Url, [], deviceCount, cancellationToken);
            Turns turns = new(devices, mosquitto, cancellationToken);
            await turns.CommandsAsync(service, inFlight, deviceCount, TimeSpan.FromSeconds(WarmUpSeconds), null);
            await turns.CommandsAsync(service, inFlight, deviceCount, turn, commands);
            await turns.UpdatesAsync(service, deviceCount, TimeSpan.FromSeconds(1), null);
            await turns.UpdatesAsync(service, deviceCount, turn / 2, updates);
        }
    }

    // As an operator does it: by the environment alone.
    private static Settings Variables(string share, string[] signals, Uri sink)
    {
        if (share == "off")
        {
            return new([]);
        }

        Dictionary<string, string> variables = new()
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.OriginalString,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio",
            ["OTEL_TRACES_SAMPLER_ARG"] = share,
        };
        foreach (var signal in Signals.Except(signals))
        {
            variables[$"OTEL_{signal.ToUpperInvariant()}_EXPORTER"] = "none";
        }

        return new(variables);
    }

    private sealed class Settings : IDisposable
    {
        private readonly Dictionary<string, string> _variables;

        public Settings(Dictionary<string, string> variables)
        {
            _variables = variables;
            foreach (var (name, value) in variables)
            {
                Environment.SetEnvironmentVariable(name, value);
            }
        }

        public void Dispose()
        {
            foreach (var name in _variables.Keys)
            {
                Environment.SetEnvironmentVariable(name, null);
            }
        }
    }
}
