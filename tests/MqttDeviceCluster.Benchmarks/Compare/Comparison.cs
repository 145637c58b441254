using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>Measures floor and service in turns, in one run, against the same broker and devices.</summary>
internal sealed class Comparison(CompareOptions options)
{
    private const string RoundTrip = "roundtrip";
    private const string Commands = "commands";
    private const string Updates = "updates";
    private const string Bursts = "bursts";

    // So few devices that each has many updates waiting.
    private const int BurstDevices = 100;
    private const int AllocationLines = 45;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    // A service runs for days. In its first half minute under full load it is still compiled again, with what was learned about its hot paths: 3,000 commands/s became 7,000.
    internal static readonly TimeSpan Compile = TimeSpan.FromSeconds(40);

    public static IReadOnlyList<string> RowNames { get; } = [RoundTrip, Commands, Updates, Bursts];

    /// <summary>Gets the rows that need no look into the silo's process.</summary>
    public static IReadOnlyList<string> CommandRowNames { get; } = [RoundTrip, Commands];

    public async Task RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await using var mosquitto = options.Broker is null ? await Mosquitto.StartAsync(cancellationToken) : null;
        var broker = options.Broker ?? mosquitto!.Url;
        await using var devices = await DeviceProcess.StartAsync(broker, cancellationToken);
        var deviceCount = Math.Max(options.Devices, Math.Max(options.Reporters, BurstDevices));
        await using var floor = await Floor.StartAsync(broker, deviceCount, new MqttStreamOptions().ReceiveMaximum, cancellationToken);
        await using var store = await Store.StartAsync(options.Storage);
        string[] settings = [.. store.Settings, .. options.SiloSettings];
        await using IService service = options.Client == ClientKind.Process
            ? await RemoteService.StartAsync(broker, settings, deviceCount, null, cancellationToken)
            : await Service.StartAsync(broker, settings, deviceCount, cancellationToken);
        Turns turns = new(devices, mosquitto, cancellationToken);

        using var allocations = options.Allocations ? new AllocationSampler() : null;
        Report report = new(options, output);
        await report.BeginAsync();
        foreach (IContender contender in (IContender[])[floor, service])
        {
            await turns.CommandsAsync(contender, Math.Min(options.Devices, 200), options.Devices, Compile, null);
        }

        foreach (var row in RowNames.Where(name => options.Rows.Count == 0 || options.Rows.Contains(name)))
        {
            var (title, run) = Row(row, turns);
            Measurement[] results = [new(), new()];
            for (var round = 0; round <= options.Rounds; round++)
            {
                // The first round only warms up: code is compiled, and grains are activated.
                await run(floor, round == 0 ? WarmUp : options.Turn, round == 0 ? null : results[0]);
                allocations?.Switch(round > 0);
                await run(service, round == 0 ? WarmUp : options.Turn, round == 0 ? null : results[1]);
                allocations?.Switch(false);
            }

            await report.RowAsync(row, title, results[0], results[1], isTime: row == RoundTrip);
            foreach (var line in allocations?.TakeTop(AllocationLines) ?? [])
            {
                await output.WriteLineAsync(line);
            }
        }

        await service.StopAsync();
        await report.EndAsync(options.Storage == StorageKind.Sqlite ? await StoredDevices.VerifyAsync(service.DataDirectory, turns.Said) : null);
    }

    private (string Title, Func<IContender, TimeSpan, Measurement?, Task> Run) Row(string row, Turns turns) => row switch
    {
        RoundTrip => ("round trip, 1 in flight", (contender, time, into) => turns.CommandsAsync(contender, 1, options.Devices, time, into)),
        Commands => (
            $"commands/s, {options.InFlight} in flight, {options.Devices} devices",
            (contender, time, into) => turns.CommandsAsync(contender, options.InFlight, options.Devices, time, into)),
        Updates => ($"updates/s, {options.Reporters} devices", (contender, time, into) => turns.UpdatesAsync(contender, options.Reporters, time, into)),
        _ => ($"updates/s, {BurstDevices} devices", (contender, time, into) => turns.UpdatesAsync(contender, BurstDevices, time, into)),
    };
}
