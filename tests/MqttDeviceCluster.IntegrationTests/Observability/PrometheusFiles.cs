using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The alert rules and the dashboard of infra/observability, and what they ask for.</summary>
internal static partial class PrometheusFiles
{
    private static readonly HashSet<string> NoMetric = ["and", "or", "unless", "by", "offset", "job", "instance", "bool"];

    public static string Rules => Path.Combine(MetricsTable.Directory, "alerts.yml");

    public static string RuleTests => Path.Combine(MetricsTable.Directory, "alerts.test.yml");

    public static IReadOnlyList<string> Alerts => [.. Alert().Matches(File.ReadAllText(Rules)).Select(static match => match.Groups[1].Value)];

    public static IEnumerable<string> Expressions() => RuleExpressions().Concat(Queries());

    /// <summary>Returns what stands in the rules after <c>expr:</c>, on the line or below it.</summary>
    private static List<string> RuleExpressions()
    {
        var found = Expression().Matches(File.ReadAllText(Rules)).Select(static match => match.Groups[1].Value).ToList();
        Assert.Equal(Alerts.Count, found.Count);
        return found;
    }

    public static IEnumerable<string> Queries()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(MetricsTable.Directory, "dashboard.json")));
        var panels = dashboard.RootElement.GetProperty("panels").EnumerateArray().Where(static panel => panel.TryGetProperty("targets", out _));
        var variables = dashboard.RootElement.GetProperty("templating").GetProperty("list").EnumerateArray()
            .Where(static variable => variable.GetProperty("type").GetString() == "query")
            .Select(static variable => LabelValues().Match(variable.GetProperty("query").GetProperty("query").GetString()!).Groups[1].Value);
        return
        [
            .. panels.SelectMany(static panel => panel.GetProperty("targets").EnumerateArray().Select(static target => target.GetProperty("expr").GetString()!)),
            .. variables,
        ];
    }

    public static string WithValues(string query) =>
        query.Replace("$cluster", "a", StringComparison.Ordinal).Replace("$silo", ".*", StringComparison.Ordinal).Replace("$__rate_interval", "5m", StringComparison.Ordinal);

    /// <summary>Returns the names that are no function, no keyword and no label.</summary>
    public static IEnumerable<string> MetricsIn(string expression)
    {
        var bare = Grouping().Replace(Braces().Replace(Quoted().Replace(WithValues(expression), ""), ""), "");
        return Name().Matches(Range().Replace(bare, "")).Select(static match => match.Value).Where(static name => !NoMetric.Contains(name));
    }

    /// <summary>Returns the names that are attributes or metrics of ours.</summary>
    public static IEnumerable<string> OwnNamesIn(string expression) => Own().Matches(expression).Select(static match => match.Value);

    /// <summary>Returns the labels that an expression, or a series of the rules' unit tests, gives a value, with each value of an alternative.</summary>
    public static IEnumerable<(string Metric, string Label, string Value)> ValuesIn(string expression) =>
        from selector in Selector().Matches(WithValues(expression))
        from matcher in Matcher().Matches(selector.Groups["matchers"].Value)
        from value in matcher.Groups["value"].Value.Split('|')
        select (selector.Groups["metric"].Value, matcher.Groups["label"].Value, value);

    /// <summary>Returns the histograms of which a quantile is compared with a number.</summary>
    public static IEnumerable<(string Metric, double Limit)> QuantileLimitsIn(string expression) => QuantileLimit().Matches(expression)
        .Select(static match => (match.Groups["metric"].Value, double.Parse(match.Groups["limit"].Value, CultureInfo.InvariantCulture)));

    [GeneratedRegex(@"(?<metric>[a-z_]+)\{(?<matchers>[^}]*)\}")]
    private static partial Regex Selector();

    [GeneratedRegex("""(?<label>\w+)(?:=~|!~|!=|=)"(?<value>[^"]*)""")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"histogram_quantile\([0-9.]+, sum by \([^)]*\) \(rate\((?<metric>\w+)\[\w+\]\)\)\)\s*>\s*(?<limit>[0-9.]+)")]
    private static partial Regex QuantileLimit();

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex Alert();

    [GeneratedRegex(@"^        expr: (?:\|\n)?((?:.*\n)(?:          .*\n)*)", RegexOptions.Multiline)]
    private static partial Regex Expression();

    [GeneratedRegex(@"^label_values\((.+), \w+\)$")]
    private static partial Regex LabelValues();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Braces();

    [GeneratedRegex(@"\b(by|without|on|ignoring)\s*\([^)]*\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"\[[^\]]*\]|\boffset \w+|\b\d+[.\w]*")]
    private static partial Regex Range();

    [GeneratedRegex(@"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()")]
    private static partial Regex Name();

    [GeneratedRegex(@"\b(mdc|mqtt)_[a-z_]+\b")]
    private static partial Regex Own();
}
