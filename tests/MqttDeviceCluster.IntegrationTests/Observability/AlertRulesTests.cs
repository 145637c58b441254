using System.Diagnostics;
using System.Text.Json;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The alert rules and the dashboard's queries parse, and each alert fires when it should, does not when it should not, and is explained.</summary>
public sealed class AlertRulesTests
{
    [Fact]
    public async Task Alerts_UnitTests_Pass()
    {
        await PromtoolAsync("check", "rules", PrometheusFiles.Rules);
        await PromtoolAsync("test", "rules", PrometheusFiles.RuleTests);
    }

    [Fact]
    public void Alerts_EachOne_HasAUnitTestAndARunbook()
    {
        var tests = File.ReadAllText(PrometheusFiles.RuleTests);
        var runbook = File.ReadAllLines(Path.Combine(MetricsTable.Directory, "README.md"));
        Assert.True(PrometheusFiles.Alerts.Count > 20);
        Assert.All(PrometheusFiles.Alerts, alert =>
        {
            Assert.Contains($"""labels: 'ALERTS{"{"}alertname="{alert}",alertstate="firing",""", tests, StringComparison.Ordinal);
            Assert.Contains($"### {alert}", runbook);
            Assert.Contains($"runbook: infra/observability/README.md#{alert.ToLowerInvariant()}", File.ReadAllText(PrometheusFiles.Rules), StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Dashboard_EveryQuery_Parses()
    {
        var directory = Directory.CreateTempSubdirectory("mdc-dashboard-");
        try
        {
            var file = Path.Combine(directory.FullName, "queries.yml");
            var rules = PrometheusFiles.Queries().Select(static (query, i) => $"  - {{record: 'q:{i}', expr: {JsonSerializer.Serialize(PrometheusFiles.WithValues(query))}}}");
            await File.WriteAllTextAsync(file, $"groups:\n- name: dashboard\n  rules:\n{string.Join('\n', rules)}\n", TestContext.Current.CancellationToken);
            await PromtoolAsync("check", "rules", file);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static async Task PromtoolAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(ServerProcess.Find("promtool", "prometheus"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.True(process.ExitCode == 0, $"promtool {string.Join(' ', arguments)}: {await output} {await error}");
    }
}
