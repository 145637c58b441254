using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Silo.Diagnostics;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The alert rules and the dashboard: they parse, each alert fires when it should and is explained, and they ask for nothing that a running silo does not have.</summary>
public sealed partial class PrometheusFilesTests(LiveSilo silo) : IClassFixture<LiveSilo>
{
    private static readonly HashSet<string> NoMetric = ["and", "or", "unless", "by", "offset", "job", "instance", "bool"];

    private static string Rules => Path.Combine(MetricsTable.Directory, "alerts.yml");

    private static IReadOnlyList<string> Alerts => [.. Alert().Matches(File.ReadAllText(Rules)).Select(static match => match.Groups[1].Value)];

    [Fact]
    public async Task Alerts_UnitTests_Pass()
    {
        await PromtoolAsync("check", "rules", Rules);
        await PromtoolAsync("test", "rules", Path.Combine(MetricsTable.Directory, "alerts.test.yml"));
    }

    [Fact]
    public void Alerts_EachOne_HasAUnitTestAndARunbook()
    {
        var tests = File.ReadAllText(Path.Combine(MetricsTable.Directory, "alerts.test.yml"));
        var runbook = File.ReadAllLines(Path.Combine(MetricsTable.Directory, "README.md"));
        Assert.True(Alerts.Count > 20);
        Assert.All(Alerts, alert =>
        {
            Assert.Contains($"""labels: 'ALERTS{"{"}alertname="{alert}",alertstate="firing",""", tests, StringComparison.Ordinal);
            Assert.Contains($"### {alert}", runbook);
            Assert.Contains($"runbook_url: infra/observability/README.md#{alert.ToLowerInvariant()}", File.ReadAllText(Rules), StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Dashboard_EveryQuery_Parses()
    {
        var directory = Directory.CreateTempSubdirectory("mdc-dashboard-");
        try
        {
            var file = Path.Combine(directory.FullName, "queries.yml");
            var rules = Queries().Select(static (query, i) => $"  - {{record: 'q:{i}', expr: {JsonSerializer.Serialize(WithValues(query))}}}");
            await File.WriteAllTextAsync(file, $"groups:\n- name: dashboard\n  rules:\n{string.Join('\n', rules)}\n", TestContext.Current.CancellationToken);
            await PromtoolAsync("check", "rules", file);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void Queries_OfAlertsAndDashboard_NameOnlyWhatALiveSiloHas()
    {
        var own = silo.Own.SelectMany(PrometheusName.Of).ToHashSet();
        var orleans = silo.Orleans.Where(static i => OrleansMeter.Useful.Contains(i.Name)).SelectMany(PrometheusName.Of).ToHashSet();
        var asked = Expressions().SelectMany(MetricsIn).Distinct().ToList();
        Assert.True(asked.Count > 30);
        Assert.DoesNotContain(asked, name => !own.Contains(name) && !orleans.Contains(name));

        // The other way round: what nobody looks at need not be measured. Sum and count of a histogram come with its buckets.
        Assert.DoesNotContain(silo.Own, i => !PrometheusName.Of(i).Any(asked.Contains));
    }

    [Fact]
    public void Queries_OfAlertsAndDashboard_NameOnlyAttributesThatALiveSiloHas()
    {
        var attributes = silo.Own.SelectMany(static i => i.AttributeKeys).Select(PrometheusName.OfAttribute).ToHashSet();
        Assert.DoesNotContain(
            Expressions().SelectMany(static expression => Attribute().Matches(expression).Select(static match => match.Value)).Distinct(),
            name => !attributes.Contains(name) && !silo.Own.SelectMany(PrometheusName.Of).Contains(name));
    }

    private static async Task PromtoolAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(ServerProcess.Find("promtool", "prometheus"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.True(process.ExitCode == 0, $"promtool {string.Join(' ', arguments)}: {await output} {await error}");
    }

    private static IEnumerable<string> Expressions() => RuleExpressions().Concat(Queries());

    /// <summary>Returns what stands in the rules after <c>expr:</c>, on the line or below it.</summary>
    private static List<string> RuleExpressions()
    {
        var found = Expression().Matches(File.ReadAllText(Rules)).Select(static match => match.Groups[1].Value).ToList();
        Assert.Equal(Alerts.Count, found.Count);
        return found;
    }

    private static IEnumerable<string> Queries()
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

    private static string WithValues(string query) =>
        query.Replace("$cluster", "a", StringComparison.Ordinal).Replace("$silo", ".*", StringComparison.Ordinal).Replace("$__rate_interval", "5m", StringComparison.Ordinal);

    /// <summary>Returns the names that are no function, no keyword and no label.</summary>
    private static IEnumerable<string> MetricsIn(string expression)
    {
        var bare = Grouping().Replace(Braces().Replace(Quoted().Replace(WithValues(expression), ""), ""), "");
        return Name().Matches(Range().Replace(bare, "")).Select(static match => match.Value).Where(static name => !NoMetric.Contains(name));
    }

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
    private static partial Regex Attribute();
}
