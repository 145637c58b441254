using System.Text.RegularExpressions;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The tables of metrics in infra/observability/README.md.</summary>
internal static partial class MetricsTable
{
    public static string Directory { get; } = Find();

    /// <summary>Reads the rows: name, kind, unit, attributes, meaning.</summary>
    public static IEnumerable<Row> Read() => File.ReadLines(Path.Combine(Directory, "README.md"))
        .Select(static line => Line().Match(line))
        .Where(static match => match.Success)
        .Select(static match => new Row(
            match.Groups["name"].Value,
            match.Groups["kind"].Value,
            match.Groups["unit"].Value,
            [.. Quoted().Matches(match.Groups["attributes"].Value).Select(static quoted => quoted.Groups[1].Value).Order(StringComparer.Ordinal)]));

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "MqttDeviceCluster.sln")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        return Path.Combine(directory.FullName, "infra", "observability");
    }

    [GeneratedRegex(@"^\| `(?<name>m[a-z_.]+)` \| (?<kind>[a-z -]+) \| `(?<unit>[^`]+)` \| (?<attributes>[^|]*) \| [^|]+ \|$")]
    private static partial Regex Line();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    internal sealed record Row(string Name, string Kind, string Unit, IReadOnlyList<string> Attributes)
    {
        public override string ToString() => $"{Name} | {Kind} | {Unit} | {string.Join(", ", Attributes)}";
    }
}
