using System.Globalization;
using System.Text.Json;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>What one row came to: a figure, the figure it is held against, and what else is worth to know.</summary>
/// <param name="Title">What was measured.</param>
/// <param name="Figures">The figures, by name.</param>
internal sealed record FleetResult(string Title, IReadOnlyDictionary<string, double> Figures);

/// <summary>Runs the rows, each with processes of its own.</summary>
internal sealed class FleetRows(FleetOptions options)
{
    private static readonly (string Name, Func<FleetOptions, CancellationToken, Task<FleetResult>> Run)[] Rows =
    [
        ("known", KnownDevicesRow.RunAsync),
        ("first", FirstContactRow.RunAsync),
        ("heap", WarmHeapRow.RunAsync),
        ("start", LargeDirectoryRow.RunAsync),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. Rows.Select(row => row.Name)];

    public async Task RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync($"{Environment.ProcessorCount} cores, SQLite storage, QoS 1 both ways");
        List<FleetResult> results = [];
        foreach (var (name, run) in Rows.Where(row => options.Rows.Count == 0 || options.Rows.Contains(row.Name)))
        {
            var result = await run(options, cancellationToken);
            results.Add(result);
            await output.WriteLineAsync(JsonSerializer.Serialize(new { row = name, title = result.Title, figures = result.Figures }));
        }

        await output.WriteLineAsync("\n| what | figures |\n|------|---------|");
        foreach (var result in results)
        {
            var figures = string.Join(", ", result.Figures.Select(figure => string.Create(CultureInfo.InvariantCulture, $"{figure.Key} {figure.Value:#,0.###}")));
            await output.WriteLineAsync($"| {result.Title} | {figures} |");
        }
    }
}
