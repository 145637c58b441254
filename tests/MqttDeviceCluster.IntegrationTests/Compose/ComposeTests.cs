using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Cli.Commands;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.IntegrationTests.Kubernetes;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.Hosting;
using YamlDotNet.Serialization;

namespace MqttDeviceCluster.IntegrationTests.Compose;

/// <summary>infra/compose is what Docker Compose takes, and what the silo understands. It is not run: there is no Docker here.</summary>
public sealed class ComposeTests
{
    [Fact]
    public async Task Compose_Parsed_HasSilosThatStartAndImagesThatStay()
    {
        var compose = await ParseAsync();
        var services = Map(compose["services"]);
        Assert.Equal(["broker", "otel-lgtm", "postgresql", "silo-1", "silo-2", "simulator"], services.Keys.Order());
        Assert.All(services, static service =>
        {
            var tag = ((string)Map(service.Value)["image"]).Split(':') is [_, var only] ? only : "";
            Assert.False(tag is "" or "latest", $"{service.Key} has the image {Map(service.Value)["image"]}");
        });

        List<SiloSettings> silos = [.. new[] { "silo-1", "silo-2" }.Select(name => SettingsOf(name, Map(services[name])))];
        Assert.All(silos, static silo => Assert.False(silo.EmbedsBroker || silo.EmbedsStore || silo.LocalhostClustering));
        Assert.Equal(2, silos.Select(static silo => silo.Endpoints.AdvertisedIPAddress).Distinct().Count());
        Assert.Single(silos.Select(static silo => (silo.ClusterId, silo.ServiceId)).Distinct());
        AssertUnderstood(((IEnumerable<object>)Map(services["simulator"])["command"]).Cast<string>());
    }

    // By mdc itself, up to where it would connect.
    private static void AssertUnderstood(IEnumerable<string> simulator)
    {
        SimulateCommand command = new(new() { Output = TextWriter.Null, Error = TextWriter.Null }, new(static _ => null));
        Assert.Equal(command.Name, simulator.First());
        var parsed = command.Parse([.. simulator.Skip(1)]);
        Assert.Empty(parsed.Errors);
        Assert.Equal("broker", parsed.GetValue<Uri>("--broker")!.Host);
    }

    private static SiloSettings SettingsOf(string name, Dictionary<string, object> service)
    {
        var grace = (string)service["stop_grace_period"];
        Assert.True(Seconds(grace) > (SiloComposition.ShutdownTimeout + TelemetryShutdown.Timeout).TotalSeconds, $"{name} is killed after {grace}");

        // What the others are told is the address that it has.
        var environment = Map(service["environment"]).ToDictionary(static variable => variable.Key.Replace("__", ":", StringComparison.Ordinal), static variable => (string?)variable.Value?.ToString());
        Assert.Equal(Map(Map(service["networks"])["default"])["ipv4_address"], environment["Orleans:Endpoints:AdvertisedIPAddress"]);
        Assert.All(environment.Keys, static key => Assert.True(SiloCommandLine.IsSetting(key) || SettingRules.TelemetryVariables.Contains(key), $"{key} is no setting"));
        return SiloSettings.From(new ConfigurationBuilder().AddInMemoryCollection(environment).Build(), "/");
    }

    private static double Seconds(string duration) =>
        duration.Split('m', 's') is [var minutes, var seconds, ""]
            ? (int.Parse(minutes, CultureInfo.InvariantCulture) * 60) + int.Parse(seconds, CultureInfo.InvariantCulture)
            : int.Parse(duration.TrimEnd('s'), CultureInfo.InvariantCulture);

    private static async Task<Dictionary<string, object>> ParseAsync()
    {
        var compose = ServerProcess.Find("docker-compose", "docker-compose");
        var file = Path.Combine(Repository.Root, "infra", "compose", "compose.yaml");
        using var process = Process.Start(new ProcessStartInfo(compose, ["--file", file, "config"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        return Map(new DeserializerBuilder().Build().Deserialize<object>(output));
    }

    private static Dictionary<string, object> Map(object node) => ((IDictionary<object, object>)node).ToDictionary(static pair => (string)pair.Key, static pair => pair.Value);
}
