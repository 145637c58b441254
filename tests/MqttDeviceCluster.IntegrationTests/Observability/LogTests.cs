using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What an operator reads: each failure once, whatever the number of devices, and its end.</summary>
public sealed class LogTests
{
    [Fact]
    public async Task BrokerGoesAndComesBack_IsSaidOnceForEachConnectionAndOnceWhenItIsOver()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var process = await SiloProcess.StartAsync(new() { Broker = broker.ConnectionString });
        await process.WaitForHealthAsync("/health/ready", IsHealthy);
        await process.WaitForOutputAsync("command topics");
        var before = Lines(process).Length;

        await broker.StopAsync();
        await process.WaitForHealthAsync("/health/ready", static body => !IsHealthy(body));
        await broker.StartAsync();
        await process.WaitForHealthAsync("/health/ready", IsHealthy);

        var said = Lines(process)[before..];
        Assert.True(said.Length == 4, string.Join('\n', said));
        foreach (var connection in (string[])["(publish)", "(receive)"])
        {
            Assert.Single(said, line => line.Contains($"The MQTT connection {connection}", StringComparison.Ordinal) && line.Contains(" was lost: ", StringComparison.Ordinal));
            Assert.Single(said, line => line.Contains($"The MQTT connection {connection}", StringComparison.Ordinal) && line.Contains(" is online again, after ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Json_IsAskedFor_EveryLineIsAnObjectWithItsParametersAndItsTrace()
    {
        await using var process = await SiloProcess.StartAsync(new() { Arguments = ["--Logging:Console:FormatterName=json", "--simulate", "1"] });
        await process.WaitForHealthAsync("/health/ready", IsHealthy);
        using var answer = await process.Http.PostAsJsonAsync(
            new Uri("/fleet/pins", UriKind.Relative), new { device = "020000000001", pin = 13, state = "high" }, TestContext.Current.CancellationToken);
        var text = await process.WaitForOutputAsync("from the fleet page");

        using var line = JsonDocument.Parse(text);
        var root = line.RootElement;
        Assert.Equal("Information", root.GetProperty("LogLevel").GetString());
        Assert.Equal("020000000001", root.GetProperty("State").GetProperty("DeviceId").GetString());
        Assert.EndsWith("Z", root.GetProperty("Timestamp").GetString()!, StringComparison.Ordinal);
        Assert.True(DateTimeOffset.TryParse(root.GetProperty("Timestamp").GetString(), CultureInfo.InvariantCulture, out var at));
        Assert.InRange(TimeProvider.System.GetUtcNow() - at, TimeSpan.FromSeconds(-5), TimeSpan.FromMinutes(5));
        var traces = root.GetProperty("Scopes").EnumerateArray().Where(static scope => scope.TryGetProperty("TraceId", out _)).ToList();
        Assert.Matches("^[0-9a-f]{32}$", Assert.Single(traces).GetProperty("TraceId").GetString());
        foreach (var other in Lines(process))
        {
            using var document = JsonDocument.Parse(other);
            Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
        }
    }

    private static bool IsHealthy(string body) => body.StartsWith("{\"status\":\"healthy\"", StringComparison.Ordinal);

    private static string[] Lines(SiloProcess process) => process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
