using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>The verb <c>side</c>: a silo with a broker and devices of its own, and the load, all told by lines what to do: <c>commands 1.5</c>, <c>updates 1.5</c> (seconds).</summary>
internal static class SideCommand
{
    public const string Commands = "commands";
    public const string Updates = "updates";

    public static Command Create()
    {
        Option<int> devices = new("--devices") { Required = true };
        Option<int> inFlight = new("--inflight") { Required = true };
        Command command = new("side", "A silo under load, for 'tracing'.") { devices, inFlight };
        command.Hidden = true;
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(devices), parsed.GetValue(inFlight), Console.In, Console.Out, cancellationToken));
        return command;
    }

    private static async Task RunAsync(int deviceCount, int inFlight, TextReader input, TextWriter output, CancellationToken cancellationToken)
    {
        await using var side = await Side.StartAsync(deviceCount, cancellationToken);
        await LineProcess.AnswerAsync(output, "ready");
        while (await input.ReadLineAsync(cancellationToken) is { } line)
        {
            var words = line.Split(' ');
            var time = TimeSpan.FromSeconds(double.Parse(words[1], CultureInfo.InvariantCulture));
            Measurement measured = new();
            await (words[0] == Commands
                ? side.Turns.CommandsAsync(side.Service, inFlight, deviceCount, time, measured)
                : side.Turns.UpdatesAsync(side.Service, deviceCount, time, measured));
            await LineProcess.AnswerAsync(output, JsonSerializer.Serialize(Slice.Of(measured)));
        }
    }
}

/// <summary>What one side did in a short while.</summary>
/// <param name="Operations">How many commands were confirmed, or updates acknowledged.</param>
/// <param name="Seconds">In how long.</param>
/// <param name="CpuMicroseconds">What the silo, and the load in its process, used of the processors meanwhile.</param>
/// <param name="Allocated">How many bytes they allocated.</param>
/// <param name="Median">The median round trip in milliseconds; 0 for updates.</param>
/// <param name="Percentile99">The 99th percentile of the round trips in milliseconds; 0 for updates.</param>
internal sealed record Slice(long Operations, double Seconds, double CpuMicroseconds, long Allocated, double Median, double Percentile99)
{
    public double PerSecond => Operations / Seconds;

    public static Slice Of(Measurement measured) => new(
        measured.Operations, measured.Elapsed.TotalSeconds, measured.Used.Self.TotalMicroseconds, measured.Used.Allocated, measured.Percentile(0.5) ?? 0, measured.Percentile(0.99) ?? 0);
}
