using System.CommandLine;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>The verb <c>compare</c>.</summary>
internal static class CompareCommand
{
    public static Command Create()
    {
        Option<int> devices = Number("--devices", 1_000, 1, 1_000_000, "How many devices take commands.");
        Option<int> reporters = Number("--reporters", 10_000, 1, 1_000_000, "How many devices send updates on their own.");
        Option<int> inFlight = Number("--inflight", 200, 1, 10_000, "How many commands are in flight, each to another device.");
        Option<int> seconds = Number("--seconds", 1, 1, 3_600, "How long a turn is measured, in seconds.");
        Option<int> rounds = Number("--rounds", 25, 1, 1_000, "How many turns each side has per row.");
        Option<StorageKind> storage = new("--storage") { Description = "Where the service stores devices.", DefaultValueFactory = _ => StorageKind.Sqlite };
        Option<ClientKind> client = new("--client") { Description = "Who calls the service: its own silo, or an Orleans client in another process.", DefaultValueFactory = _ => ClientKind.Silo };
        Option<Uri?> broker = new("--broker")
        {
            Description = "A broker that is there, such as mqtt://host:1883. Default: a mosquitto of our own.",
            CustomParser = result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url) && url.Scheme == "mqtt")
                {
                    return url;
                }

                result.AddError("--broker must be a URL such as mqtt://127.0.0.1:1883.");
                return null;
            },
        };
        Option<string[]> rows = new("--rows") { Description = $"Which rows: {string.Join(", ", Comparison.RowNames)}. Default: all.", AllowMultipleArgumentsPerToken = true };
        rows.AcceptOnlyFromAmong([.. Comparison.RowNames]);
        Option<string[]> silo = new("--silo") { Description = "A setting of the measured silo, such as Dashboard:Enabled=false. May be repeated." };

        Option<bool> allocations = new("--allocations") { Description = "Also shows which types the service allocates. That costs some." };
        Command command = new("compare", "Measures the service and the bare MQTT loop in turns, against the same broker and devices.")
        {
            devices, reporters, inFlight, seconds, rounds, storage, client, broker, rows, silo, allocations,
        };
        command.Validators.Add(EachToAnother(devices, inFlight));
        command.Validators.Add(result =>
        {
            if (result.GetValue(client) == ClientKind.Process && result.GetValue(rows) is var chosen && (chosen is not { Length: > 0 } || chosen.Except(Comparison.CommandRowNames).Any()))
            {
                result.AddError($"--client process measures commands alone: name --rows {string.Join(" or ", Comparison.CommandRowNames)}.");
            }
        });
        command.SetAction((parsed, cancellationToken) => BenchmarkException.ToExitCodeAsync(async () =>
        {
            await new Comparison(new()
            {
                Devices = parsed.GetValue(devices),
                Reporters = parsed.GetValue(reporters),
                InFlight = parsed.GetValue(inFlight),
                Turn = TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                Rounds = parsed.GetValue(rounds),
                Storage = parsed.GetValue(storage),
                Client = parsed.GetValue(client),
                Broker = parsed.GetValue(broker),
                Rows = parsed.GetValue(rows) ?? [],
                SiloSettings = parsed.GetValue(silo) ?? [],
                Allocations = parsed.GetValue(allocations),
            }).RunAsync(Console.Out, cancellationToken);
        }));
        return command;
    }

    internal static Action<System.CommandLine.Parsing.CommandResult> EachToAnother(Option<int> devices, Option<int> inFlight) => result =>
    {
        if (Of(inFlight) > Of(devices))
        {
            result.AddError("--inflight must not be more than --devices: a device runs one command at a time.");
        }

        // A validator does not see the default of an option that was not given.
        int Of(Option<int> option) => result.GetResult(option)?.GetValueOrDefault<int>() ?? (int)option.GetDefaultValue()!;
    };

    internal static Option<int> Number(string name, int value, int least, int most, string description)
    {
        Option<int> option = new(name) { Description = $"{description} Default {value}.", DefaultValueFactory = _ => value };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is var number && (number < least || number > most))
            {
                result.AddError($"{name} must be {least} to {most} but is {number}.");
            }
        });
        return option;
    }
}
