using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Silo;

public sealed class SiloProcessTests
{
    [Fact]
    public async Task Start_NothingConfigured_IsAWholeSystemAndStopsCleanly()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Dashboard = true });

        Assert.Equal(
            """{"status":"healthy","checks":{"process":{"status":"healthy"},"memory":{"status":"healthy"}}}""",
            await silo.WaitForHealthAsync("/health/live", _ => true));
        Assert.Equal(
            """{"status":"healthy","checks":{"silo":{"status":"healthy"},"broker":{"status":"healthy"},"store":{"status":"healthy"}}}""",
            await silo.WaitForHealthAsync("/health/ready", body => body.Contains("\"status\":\"healthy\",\"checks\"", StringComparison.Ordinal)));
        Assert.Equal(
            """{"status":"healthy","checks":{"silo":{"status":"healthy"},"broker_reached":{"status":"healthy"}}}""",
            await silo.WaitForHealthAsync("/health/startup", _ => true));
        Assert.Contains("<title>Orleans Dashboard</title>", await silo.Http.GetStringAsync(
                new Uri("/dashboard/", UriKind.Relative), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.True(await ConnectsAsync(silo.BrokerPort), "the broker's port");
        Assert.True(await ConnectsAsync(silo.GatewayPort), "the gateway's port");
        Assert.True(File.Exists(Path.Combine(silo.DataDirectory, "devices.db")));

        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.Equal("", silo.Error);
        Assert.Contains($"Broker: mqtt://127.0.0.1:{silo.BrokerPort}, embedded", silo.Output, StringComparison.Ordinal);
        Assert.Contains("Stopped.", silo.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" warn ", silo.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" FAIL ", silo.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Grain storage 'Default' opened")]
    [InlineData("The MQTT connection (receive)")]
    public async Task Stop_InTheMiddleOfTheStart_IsNoFailure(string line)
    {
        await using var silo = SiloProcess.Launch(new());
        await silo.WaitForOutputAsync(line);

        silo.Terminate();

        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.Equal("", silo.Error);
    }

    [Fact]
    public async Task Memory_RunsOut_TheSiloAsksToBeStartedAnewOrEnds()
    {
        await using var silo = SiloProcess.Launch(new()
        {
            Arguments = ["--Simulate=3000"],
            Environment = new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = "0x2800000" },
        });

        var health = await silo.WaitForHealthAsync("/health/live", HttpStatusCode.ServiceUnavailable);

        // Where memory fails is not ours to choose: it may be on a thread of the runtime's own, and that is the end.
        if (health is null)
        {
            Assert.NotEqual(0, await silo.WaitForExitAsync());
            Assert.Matches("(?i)OutOfMemoryException|out of memory", silo.Output + silo.Error);
        }
        else
        {
            Assert.Contains("\"memory\":{\"status\":\"unhealthy\",\"problem\":\"memory ran out\"}", health, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("the embedded broker", "--EmbeddedBroker:Port")]
    [InlineData("the silo", "--Orleans:Endpoints:SiloPort")]
    [InlineData("the Orleans gateway", "--Orleans:Endpoints:GatewayPort")]
    [InlineData("HTTP", "--Urls")]
    public async Task Start_PortTaken_StopsWithOneSentence(string what, string remedy)
    {
        using var holder = new TcpListener(IPAddress.Loopback, FreePorts.Next());
        holder.Start();
        var taken = ((IPEndPoint)holder.LocalEndpoint).Port;
        await using var silo = SiloProcess.Launch(what switch
        {
            "the embedded broker" => new() { BrokerPort = taken },
            "the silo" => new() { SiloPort = taken },
            "the Orleans gateway" => new() { GatewayPort = taken },
            _ => new() { HttpPort = taken },
        });

        var sentence = await AssertRefusedAsync(silo, 1);
        Assert.StartsWith($"error: Port {taken} on 127.0.0.1, for {what}, is already in use: ", sentence, StringComparison.Ordinal);
        Assert.Contains(remedy, sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://user:secret@localhost", "it must start with mqtt://")]
    [InlineData("localhost:1883", "it must start with mqtt://")]
    [InlineData("mqtt://user:secret@", "it is not a URL")]
    [InlineData("user:secret@host", "it must start with mqtt://")]
    [InlineData("mqtt://user:secret@host:99999", "it is not a URL")]
    [InlineData("", "is empty")]
    public async Task Start_BadBrokerUrl_StopsWithOneSentenceWithoutItsSecret(string url, string problem)
    {
        await using var silo = SiloProcess.Launch(new() { Environment = new Dictionary<string, string> { ["ConnectionStrings__mqtt"] = url } });
        var sentence = await AssertRefusedAsync(silo, 1);
        Assert.StartsWith("error: ConnectionStrings:mqtt ", sentence, StringComparison.Ordinal);
        Assert.Contains(problem, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", sentence + silo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_DataDirectoryIsAFile_StopsWithOneSentence()
    {
        var file = Path.GetTempFileName();
        try
        {
            await using var silo = SiloProcess.Launch(new() { DataDirectory = file });
            var sentence = await AssertRefusedAsync(silo, 1);
            Assert.StartsWith($"error: The data directory {file} cannot be created", sentence, StringComparison.Ordinal);
            Assert.Contains("--DataDirectory", sentence, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Start_StoreIsNoDatabase_StopsWithOneSentenceAndLeavesItAlone()
    {
        var directory = Directory.CreateTempSubdirectory("mdc-");
        var store = Path.Combine(directory.FullName, "devices.db");
        const string Foreign = "these are a hundred bytes and more that someone else wrote, and that the silo must neither read nor overwrite: not a database";
        try
        {
            await File.WriteAllTextAsync(store, Foreign, TestContext.Current.CancellationToken);
            await using var silo = SiloProcess.Launch(new() { DataDirectory = directory.FullName });
            Assert.StartsWith($"error: The store {store} cannot be opened", await AssertRefusedAsync(silo, 1), StringComparison.Ordinal);
            Assert.Equal(Foreign, await File.ReadAllTextAsync(store, TestContext.Current.CancellationToken));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(2, "'--simulat' is not an option", "--simulat", "3")]
    [InlineData(2, "'start' is not an option", "start")]
    [InlineData(2, "'--simulate' needs a value", "--simulate")]
    [InlineData(1, "Simulate must be 0 to 100000 but is 'x'", "--simulate", "x")]
    [InlineData(1, "EmbeddedBroker:Prot is not a setting", "--EmbeddedBroker:Prot=1")]
    [InlineData(1, "Mqtt:ReceiveMaximum", "--Mqtt:ReceiveMaximum=many")]
    [InlineData(1, "error: Mqtt:ReceiveMaximum must be 1 to 65535 but is 0.", "--Mqtt:ReceiveMaximum=0")]
    [InlineData(
        1, "Orleans:Clustering:ProviderType is 'Nonsense' and must be PostgreSql, Redis or AdoNet", "--Orleans:Clustering:ProviderType=Nonsense", "--ConnectionStrings:mqtt=mqtt://localhost", "--Orleans:GrainStorage:Default:ProviderType=Memory")]
    public async Task Start_BadArgument_StopsWithOneSentence(int exitCode, string problem, params string[] arguments)
    {
        await using var silo = SiloProcess.Launch(new() { Arguments = arguments });
        Assert.Contains(problem, await AssertRefusedAsync(silo, exitCode), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_Asked_PrintsTheUsage()
    {
        await using var silo = SiloProcess.Launch(new() { Arguments = ["--help"], ReplaceArguments = true });
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.StartsWith("Usage: ", silo.Output, StringComparison.Ordinal);
        Assert.Contains("--ConnectionStrings:mqtt", silo.Output, StringComparison.Ordinal);
        Assert.Equal("", silo.Error);
    }

    [Fact]
    public async Task Start_BrokerAway_IsReadyButDegradedAndHeals()
    {
        var port = FreePorts.Next();
        await using var silo = await SiloProcess.StartAsync(new() { Broker = $"mqtt://user:secret@127.0.0.1:{port}" });

        using var body = JsonDocument.Parse(await silo.WaitForHealthAsync("/health/ready", _ => true));
        Assert.Equal("degraded", body.RootElement.GetProperty("status").GetString());
        var broker = body.RootElement.GetProperty("checks").GetProperty("broker");
        Assert.Equal("degraded", broker.GetProperty("status").GetString());
        Assert.False(string.IsNullOrWhiteSpace(broker.GetProperty("problem").GetString()));
        using var startup = await silo.Http.GetAsync(new Uri("/health/startup", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, startup.StatusCode);

        // Any silo's embedded broker will do as the one that comes.
        await using var other = await SiloProcess.StartAsync(new() { BrokerPort = port });
        await silo.WaitForHealthAsync("/health/startup", _ => true);
        await silo.WaitForHealthAsync("/health/ready", text => text.StartsWith("{\"status\":\"healthy\"", StringComparison.Ordinal));

        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.DoesNotContain("secret", silo.Output + silo.Error, StringComparison.Ordinal);
        Assert.Contains($"Broker: mqtt://127.0.0.1:{port}", silo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_DrainDelay_IsNotReadyWhileItDrains()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--Shutdown:DrainDelay=00:00:05"] });
        silo.Terminate();
        var status = HttpStatusCode.OK;
        string body = "";
        while (status == HttpStatusCode.OK && !silo.HasExited)
        {
            using var response = await silo.Http.GetAsync(new Uri("/health/ready", UriKind.Relative), TestContext.Current.CancellationToken);
            status = response.StatusCode;
            body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("\"silo\":{\"status\":\"unhealthy\",\"problem\":\"the silo is stopping\"}", body, StringComparison.Ordinal);
        Assert.Equal(0, await silo.WaitForExitAsync());
    }

    [Fact]
    public async Task Start_AfterKill_StartsOnTheSamePortsAndStore()
    {
        var directory = Directory.CreateTempSubdirectory("mdc-");
        try
        {
            await using var first = await SiloProcess.StartAsync(new() { DataDirectory = directory.FullName });
            await first.KillAsync();
            await using var second = await SiloProcess.StartAsync(new()
            {
                DataDirectory = directory.FullName,
                BrokerPort = first.BrokerPort,
                SiloPort = first.SiloPort,
                GatewayPort = first.GatewayPort,
                HttpPort = first.HttpPort,
            });
            Assert.NotEqual(first.Id, second.Id);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Waits for the end with <paramref name="exitCode"/>, and returns the one line on standard error.</summary>
    private static async Task<string> AssertRefusedAsync(SiloProcess silo, int exitCode)
    {
        Assert.Equal(exitCode, await silo.WaitForExitAsync());
        var line = Assert.Single(silo.Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
        Assert.DoesNotContain("   at ", silo.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" CRIT ", silo.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" FAIL ", silo.Output, StringComparison.Ordinal);
        return line;
    }

    private static async Task<bool> ConnectsAsync(int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
