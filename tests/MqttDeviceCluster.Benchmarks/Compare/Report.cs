using System.Globalization;
using System.Text.Json;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>Writes one JSON line per row as it is measured, and the table at the end.</summary>
internal sealed class Report(CompareOptions options, TextWriter output)
{
    private static readonly string[] Headings =
        ["", "floor", "service", "ratio", "p50 ms", "p99 ms", "CPU µs/op floor", "service", "broker", "devices", "KB/op floor", "service", "GC pause", "devices busy", "other load"];

    private readonly List<string[]> _rows = [];

    public async Task BeginAsync() => await output.WriteLineAsync(string.Create(
        CultureInfo.InvariantCulture,
        $"{Environment.ProcessorCount} cores, {options.Storage} storage, caller in {(options.Client == ClientKind.Silo ? "the silo" : "another process")}, {options.Rounds} turns of {options.Turn.TotalSeconds:0} s each in every row, QoS 1 both ways"));

    public async Task RowAsync(string name, string title, Measurement floor, Measurement service, bool isTime)
    {
        var floorValue = isTime ? floor.Percentile(0.5)!.Value : floor.PerSecond;
        var serviceValue = isTime ? service.Percentile(0.5)!.Value : service.PerSecond;
        var ratio = serviceValue / floorValue;
        _rows.Add(
        [
            title,
            isTime ? $"{Text(floorValue, "0.000")} ms" : Text(floorValue, "#,0"),
            isTime ? $"{Text(serviceValue, "0.000")} ms" : Text(serviceValue, "#,0"),
            Text(ratio, "0.00"),
            Both(0.5),
            Both(0.99),
            Text(floor.CostOf(floor.Used.Self), "0.0"),
            Text(service.CostOf(service.Used.Self), "0.0"),
            Text(service.CostOf(service.Used.Broker), "0.0"),
            Text(service.CostOf(service.Used.Devices), "0.0"),
            Text(floor.Used.Allocated / 1024.0 / floor.Operations, "0.0"),
            Text(service.Used.Allocated / 1024.0 / service.Operations, "0.0"),
            $"{Text(Busy(floor, floor.Used.Paused), "0 %")} / {Text(Busy(service, service.Used.Paused), "0 %")}",
            // Of one core. The devices are far from being what limits either side as long as this stays far from 100 %.
            $"{Text(Busy(floor, floor.Used.Devices), "0 %")} / {Text(Busy(service, service.Used.Devices), "0 %")}",
            $"{Text(Busy(floor, floor.Used.Others), "0 %")} / {Text(Busy(service, service.Used.Others), "0 %")}",
        ]);
        await output.WriteLineAsync(JsonSerializer.Serialize(new
        {
            row = name,
            title,
            storage = options.Storage.ToString(),
            client = options.Client.ToString(),
            ratio = Math.Round(ratio, 3),
            floor = Values(floor),
            service = Values(service),
        }));

        string Both(double share) => floor.Percentile(share) is { } low && service.Percentile(share) is { } high
            ? $"{Text(low, "0.000")} / {Text(high, "0.000")}"
            : "";
    }

    /// <param name="verified">How many devices' stored state was compared with what they said last; <see langword="null"/> if it was not.</param>
    public async Task EndAsync(int? verified)
    {
        await output.WriteLineAsync();
        var widths = Headings.Select((heading, column) => Math.Max(heading.Length, _rows.Max(row => row[column].Length))).ToArray();
        await output.WriteLineAsync(Line(Headings));
        await output.WriteLineAsync($"|{string.Join('|', widths.Select(width => new string('-', width + 2)))}|");
        foreach (var row in _rows)
        {
            await output.WriteLineAsync(Line(row));
        }

        await output.WriteLineAsync(verified is { } count
            ? $"Verified: the store holds what each of {count} devices said last."
            : "Not verified: this storage does not outlive the silo.");

        string Line(string[] cells) => $"| {string.Join(" | ", cells.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column])))} |";
    }

    private static object Values(Measurement measurement) => new
    {
        operations = measurement.Operations,
        perSecond = Math.Round(measurement.PerSecond, 1),
        p50Ms = measurement.Percentile(0.5),
        p99Ms = measurement.Percentile(0.99),
        cpuMicrosecondsPerOperation = new
        {
            self = Math.Round(measurement.CostOf(measurement.Used.Self), 2),
            broker = Math.Round(measurement.CostOf(measurement.Used.Broker), 2),
            devices = Math.Round(measurement.CostOf(measurement.Used.Devices), 2),
        },
        bytesPerOperation = measurement.Used.Allocated / Math.Max(1, measurement.Operations),
        collections = measurement.Used.Collections,
        pausedShare = Math.Round(Busy(measurement, measurement.Used.Paused), 3),
        coresBusy = new
        {
            self = Math.Round(Busy(measurement, measurement.Used.Self), 3),
            broker = Math.Round(Busy(measurement, measurement.Used.Broker), 3),
            devices = Math.Round(Busy(measurement, measurement.Used.Devices), 3),
            others = Math.Round(Busy(measurement, measurement.Used.Others), 3),
        },
    };

    private static double Busy(Measurement measurement, TimeSpan cpu) => cpu / measurement.Elapsed;

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
