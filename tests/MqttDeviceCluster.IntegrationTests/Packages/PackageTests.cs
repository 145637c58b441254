using System.Globalization;
using System.Text;
using System.Text.Json;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Packages;

/// <summary>The packages as another solution gets them.</summary>
public sealed class PackageTests(PackageFeed feed, ITestOutputHelper output) : IClassFixture<PackageFeed>
{
    private const string Device = "020000000001";

    private static readonly string[] Libraries =
        ["MqttDeviceCluster.Abstractions", "MqttDeviceCluster.Client", "MqttDeviceCluster.Grains", "MqttDeviceCluster.Storage", "MqttDeviceCluster.Streaming.Mqtt"];

    [Fact]
    public void Feed_IsWhatShips() => Assert.Equal(
        [.. Libraries.SelectMany(static id => (string[])[$"{id}.nupkg", $"{id}.snupkg"]), "mdc.nupkg"],
        Directory.GetFiles(feed.Feed).Select(static file => PackageFile.IdOf(file) + Path.GetExtension(file)).Order(StringComparer.Ordinal));

    [Fact]
    public void Packages_SayWhatTheyAre()
    {
        foreach (var id in (string[])[.. Libraries, "mdc"])
        {
            var package = feed.Open(id);
            output.WriteLine(package.Metadata.ToString());
            Assert.Equal(id, package.Value("id"));
            Assert.Equal("MIT", package.Value("license"));
            Assert.Equal("README.md", package.Value("readme"));
            Assert.StartsWith($"# {id}\n", Encoding.UTF8.GetString(package.Read("README.md")), StringComparison.Ordinal);
            Assert.NotEqual("", package.Value("authors"));
            Assert.NotEqual("", package.Value("copyright"));
            Assert.True(package.Value("description").Length is > 40 and < 300, package.Value("description"));
            Assert.Contains("orleans", package.Value("tags"), StringComparison.Ordinal);
        }

        foreach (var id in Libraries)
        {
            Assert.Contains($"lib/net10.0/{id}.dll", feed.Open(id).Files);
            Assert.Contains($"lib/net10.0/{id}.xml", feed.Open(id).Files);
            Assert.Contains($"lib/net10.0/{id}.pdb", feed.Open(id, symbols: true).Files);
        }
    }

    [Fact]
    public void Packages_NeedWhatTheyWereTestedWithOrLater()
    {
        var version = feed.Open("MqttDeviceCluster.Abstractions").Version;

        Assert.Equal(["Microsoft.Orleans.Sdk"], Needs("MqttDeviceCluster.Abstractions"));
        Assert.Equal(["Microsoft.Orleans.Client", "MqttDeviceCluster.Abstractions", "OpenTelemetry.Api.ProviderBuilderExtensions"], Needs("MqttDeviceCluster.Client"));
        Assert.Equal(
            ["Microsoft.Orleans.Runtime", "Microsoft.Orleans.Sdk", "Microsoft.Orleans.Streaming", "MqttDeviceCluster.Abstractions"], Needs("MqttDeviceCluster.Grains"));

        // These two stand alone.
        Assert.Equal(["MQTTnet", "Microsoft.Orleans.Sdk", "Microsoft.Orleans.Streaming"], Needs("MqttDeviceCluster.Streaming.Mqtt"));
        Assert.DoesNotContain(Needs("MqttDeviceCluster.Storage"), static id => id.StartsWith("MqttDeviceCluster", StringComparison.Ordinal));
        Assert.Empty(Needs("mdc"));
        foreach (var dependency in Libraries.SelectMany(id => feed.Open(id).Dependencies))
        {
            Assert.True(!dependency.Key.StartsWith("MqttDeviceCluster", StringComparison.Ordinal) || dependency.Value == version, $"{dependency.Key} {dependency.Value}");
            Assert.True(!dependency.Key.StartsWith("Microsoft.Orleans", StringComparison.Ordinal) || dependency.Value == "10.4.2", $"{dependency.Key} {dependency.Value}");
        }

        IEnumerable<string> Needs(string id) => feed.Open(id).Dependencies.Keys.Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Packages_HoldNoPathOfTheMachine()
    {
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("CI") == "true", "A developer's own build holds the paths of the sources, for debuggers: only one with CI=true is for publishing.");
        var root = Encoding.UTF8.GetBytes(Repository.Root);
        foreach (var package in Libraries.SelectMany(id => (PackageFile[])[feed.Open(id), feed.Open(id, symbols: true)]).Append(feed.Open("mdc")))
        {
            foreach (var file in package.Files)
            {
                Assert.True(package.Read(file).AsSpan().IndexOf(root) < 0, $"{package.Value("id")}: {file}");
            }
        }
    }

    [Fact]
    public void Packages_AssembliesAreDeterministicAndTheirSymbolsFit()
    {
        foreach (var id in Libraries)
        {
            DebugDirectory assembly = new(feed.Open(id).Read($"lib/net10.0/{id}.dll"));
            Assert.True(assembly.IsDeterministic, id);
            Assert.Null(assembly.Misfit(feed.Open(id, symbols: true).Read($"lib/net10.0/{id}.pdb")));
        }

        // The tool brings its symbols, and assemblies of others.
        var tool = feed.Open("mdc");
        var ours = tool.Files.Where(static file => Path.GetExtension(file) == ".dll" && (Path.GetFileName(file) == "mdc.dll" || Path.GetFileName(file).StartsWith("MqttDeviceCluster", StringComparison.Ordinal))).ToList();
        Assert.Equal(
            ["MqttDeviceCluster.Abstractions.dll", "MqttDeviceCluster.Client.dll", "MqttDeviceCluster.Simulator.dll", "MqttDeviceCluster.Streaming.Mqtt.dll", "mdc.dll"],
            ours.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var file in ours)
        {
            DebugDirectory assembly = new(tool.Read(file));
            Assert.True(assembly.IsDeterministic, file);
            Assert.Null(assembly.Misfit(tool.Read(Path.ChangeExtension(file, ".pdb"))));
        }
    }

    [Fact]
    public void Documents_ShowNoProgramThatIsNotBuilt()
    {
        var files = Directory.EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories).Select(static file => Path.GetRelativePath(Repository.Root, file))
            .Where(static file => !file.Split(Path.DirectorySeparatorChar).Any(static part => part is "bin" or "obj" || part.StartsWith('.')));
        var shown = files.SelectMany(static file => ((string[])["csharp", "cs", "c#", "C#"]).SelectMany(language => MarkdownCode.Blocks(file, language)));

        Assert.Equal(feed.Shown.Order(StringComparer.Ordinal), shown.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Client_InAnotherSolution_CallsASiloAndGetsWhatTheDeviceConfirmed()
    {
        await using var silo = await SiloProcess.StartAsync(new() { GatewayPort = feed.CalledGatewayPort, Arguments = ["--Simulate=1"] });
        await silo.WaitForOutputAsync("Simulating 1 devices.");

        // The readme of the package, then the one of the project.
        Assert.Equal("Observed: 13=High (Output)\n", await CommandRun.RunAsync("dotnet", [feed.Program("Caller")]));
        var tour = await CommandRun.RunAsync("dotnet", [feed.Program("Tour")]);
        Assert.Contains("13=Low (Output), 14=High (Output)\n", tour, StringComparison.Ordinal);
        Assert.Contains($"{Device} Online ", tour, StringComparison.Ordinal);

        using var set = await MdcAsync(feed.CalledGatewayPort, "set", Device, "14=low");
        Assert.Equal((Device, 0), (set.RootElement.GetProperty("device").GetString(), set.RootElement.GetProperty("updates")[0].GetProperty("state").GetInt32()));
        Assert.StartsWith(feed.Open("mdc").Version, await CommandRun.RunAsync(await feed.ToolAsync(), ["--version"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Grains_InAnotherSolution_ServeADeviceOverStreamingAndKeepItInStorage()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using ServerProcess silo = new("silo") { LastSignal = "KILL" };
        string[] program = [feed.Program("Silo"), $"--ConnectionStrings:mqtt={broker.ConnectionString}", $"--Store={Path.Combine(silo.DirectoryPath, "devices.db")}"];
        await StartAsync();
        await using (ServerProcess device = new("mdc") { LastSignal = "KILL" })
        {
            await device.StartAsync(await feed.ToolAsync(), ["simulate", "--broker", broker.ConnectionString], $"1 simulated device on {broker.ConnectionString}");
            using var set = await MdcAsync(feed.GatewayPort, "set", Device, "13=high");
            Assert.Equal("observed", set.RootElement.GetProperty("evidence").GetString());
            Assert.Equal([(13, 1)], Pins(set.RootElement.GetProperty("updates")));
            Assert.Equal(0, await device.EndAsync("TERM"));
        }

        Assert.Equal(0, await silo.EndAsync("TERM"));

        // There is no device any more that could say it again.
        await StartAsync();
        using var kept = await MdcAsync(feed.GatewayPort, "show", Device);
        Assert.Equal([(13, 1), (14, 0)], Pins(kept.RootElement.GetProperty("pins")));
        Assert.Equal(0, await silo.EndAsync("TERM"));
        Assert.DoesNotContain("fail:", silo.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("crit:", silo.Log, StringComparison.Ordinal);

        Task StartAsync()
        {
            List<string> missing = ["Application started.", "(receive) to"];
            return silo.StartAsync("dotnet", program, line => missing.RemoveAll(text => line.Contains(text, StringComparison.Ordinal)) > 0 && missing.Count == 0);
        }

        static IEnumerable<(int Pin, int State)> Pins(JsonElement pins) =>
            pins.EnumerateArray().Select(static pin => (pin.GetProperty("pin").GetInt32(), pin.GetProperty("state").GetInt32()));
    }

    [Fact]
    public async Task StreamingMqtt_InAnotherSolution_CarriesMessagesOfItsOwnBothWays()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        var port = broker.Port.ToString(CultureInfo.InvariantCulture);
        await using ServerProcess sample = new("sample") { LastSignal = "KILL" };
        await sample.StartAsync("dotnet", [feed.Program("Sample"), $"--ConnectionStrings:mqtt={broker.ConnectionString}"], "(receive) to");

        await PublishAsync("kitchen", "18.5");
        Assert.Equal("on\n", await HeatingAsync("kitchen"));
        await PublishAsync("kitchen", "warm");
        await PublishAsync("kitchen", "21");
        await PublishAsync("bath", "24");
        Assert.Equal("off\n", await HeatingAsync("bath"));
        Assert.Contains("not_a_number", sample.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("fail:", sample.Log, StringComparison.Ordinal);
        await sample.EndAsync("TERM");

        // All that was sent was handled and acknowledged: a second silo, in the same session, has nothing to do.
        await PublishAsync("kitchen", "17");
        await sample.StartAsync("dotnet", [feed.Program("Sample"), $"--ConnectionStrings:mqtt={broker.ConnectionString}"], "(receive) to");
        Assert.Equal("on\n", await HeatingAsync("kitchen", "on"));
        await sample.EndAsync("TERM");

        Task<string> PublishAsync(string room, string text) => CommandRun.RunAsync(
            MosquittoBroker.Find("mosquitto_pub"), ["-p", port, "-q", "1", "-t", $"home/{room}/temperature", "-m", text]);

        // Retained: the broker says what it was last, or what it becomes.
        async Task<string> HeatingAsync(string room, string? wanted = null)
        {
            while (true)
            {
                var heating = await CommandRun.RunAsync(MosquittoBroker.Find("mosquitto_sub"), ["-p", port, "-t", $"home/{room}/heating", "-C", "1", "-W", "60"]);
                if (wanted is null || heating == $"{wanted}\n")
                {
                    return heating;
                }
            }
        }
    }

    private async Task<JsonDocument> MdcAsync(int gatewayPort, params string[] arguments) => JsonDocument.Parse(await CommandRun.RunAsync(
        await feed.ToolAsync(), [.. arguments, "--gateway", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{gatewayPort}"), "--json"]));
}
