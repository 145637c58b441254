using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Reflection.PortableExecutable;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using k8s.Models;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>
/// The image of infra/image.sh, and single pods of infra/k8s with it on real parts, as the manifests say, in network namespaces, without Kubernetes. The start is timed.
/// </summary>
[Collection(AloneCollection.Name), SupportedOSPlatform("linux")]
public sealed partial class PodTests(SiloImage siloImage, ITestOutputHelper output) : IClassFixture<SiloImage>
{
    private const string Namespace = "mqtt-device-cluster";
    private const string Device = "020000000001";

    private static readonly TimeSpan ReadyBound = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task Image_AsItIs_HasItsPortsNoRightsAndNoShellAndIsCompiledAheadOfTime()
    {
        var (image, configuration) = await siloImage.GetAsync();
        var container = (await Manifests.RenderAsync("base")).Silo.Spec.Template.Spec.Containers.Single();

        // By its number: of a name a kubelet cannot tell that it is not root.
        Assert.Equal("1654", configuration.User);
        Assert.Equal(["dotnet", "/app/MqttDeviceCluster.Silo.dll"], configuration.Entrypoint);
        Assert.Equal(PodImage.WorkingDirectory, configuration.WorkingDir);
        Assert.Equal(container.Ports.Select(static port => port.ContainerPort).Order(), configuration.Ports);
        Assert.DoesNotContain(["sh", "bash", "dash"], shell => File.Exists(Path.Combine(image.Root!, "usr", "bin", shell)));
        foreach (var assembly in (string[])["MqttDeviceCluster.Silo", "MqttDeviceCluster.Streaming.Mqtt", "Orleans.Runtime", "MQTTnet"])
        {
            using PEReader file = new(File.OpenRead(Path.Combine(image.Root!, "app", $"{assembly}.dll")));
            Assert.True(file.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0, $"{assembly} is compiled when it runs.");
        }
    }

    [Fact]
    public async Task Prod_OnePod_IsReadyInTimeWithoutRightsAndStopsInOrder()
    {
        var (image, _) = await siloImage.GetAsync();
        await using var servers = await ProductionServers.StartAsync(
            8884,
            static (certificates, directory) =>
            {
                certificates.WriteClient(Path.Combine(directory, "client.pem"), "mqtt-device-cluster");
                return Task.CompletedTask;
            },
            "require_certificate true",
            "use_identity_as_username true");
        var manifests = (await Manifests.RenderAsync("overlays/prod"))
            .With(ProductionServers.SecretOf(Namespace, "silo-secrets", ("ConnectionStrings__postgresql", servers.DatabaseFor() + "\n")))
            .With(ProductionServers.SecretOf(Namespace, "broker-tls", ("ca.crt", servers.Read("ca.pem")), ("tls.crt", servers.Read("client.pem")), ("tls.key", servers.Read("client.key"))));
        var container = manifests.Silo.Spec.Template.Spec.Containers.Single();

        // A busy machine may be slower once, or twice.
        var best = TimeSpan.MaxValue;
        for (var attempt = 0; attempt < 3 && best > ReadyBound; attempt++)
        {
            var watch = Stopwatch.StartNew();
            await using var pod = await Pod.StartAsync(servers.Network, manifests, "silo", image, ProductionServers.BrokerName);
            await pod.WaitForReadyAsync(container);
            best = watch.Elapsed < best ? watch.Elapsed : best;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ready after {watch.Elapsed.TotalSeconds:0.00} s"));
            await pod.Process.WaitForHealthAsync(container.StartupProbe.HttpGet.Path, static _ => true);
            await pod.Process.WaitForHealthAsync(container.LivenessProbe.HttpGet.Path, static _ => true);

            var status = (await pod.ReadProcessAsync("status")).Split('\n').Select(static line => line.Split(':', 2)).Where(static line => line.Length == 2)
                .ToDictionary(static line => line[0], static line => line[1].Trim());
            Assert.Equal("1654\t1654\t1654\t1654", status["Uid"]);
            Assert.Equal("0000000000000000", status["CapBnd"]);
            Assert.Equal("1", status["NoNewPrivs"]);
            Assert.Contains((await pod.ReadProcessAsync("mountinfo")).Split('\n'), static mount => mount.Split(' ') is [_, _, _, _, "/", var options, ..] && options.Split(',').Contains("ro"));
            Assert.Equal(512 * 1024 * 1024, await MemoryLimitAsync(pod));
            Assert.Equal(
                pod.Name, await PostgreSqlServer.ScalarAsync(servers.Database, "SELECT siloname FROM orleansmembershiptable WHERE deploymentid = 'production' AND status = 3"));
            output.WriteLine($"{status["VmRSS"]} resident");

            await ReportAsync(servers);
            await AskByJobAsync(servers, manifests, pod);
            await AskByServiceAsync(servers);

            pod.Process.Terminate();
            await WaitForNotReadyAsync(pod, container);
            var code = await pod.Process.WaitForExitAsync();
            Assert.True((code, pod.Process.Error) is (0, ""), $"The silo ended with {code}: {pod.Process.Output}{pod.Process.Error}");
        }

        Assert.True(best < ReadyBound, $"It was ready after {best}.");

        // One that was declared dead ends itself with SIGABRT, which the first process of a namespace would not get.
        await using var dead = await Pod.StartAsync(servers.Network, manifests, "silo", image, ProductionServers.BrokerName);
        await dead.WaitForReadyAsync(container);
        await PostgreSqlServer.ExecuteAsync(
            servers.Database, $"UPDATE orleansmembershiptable SET status = 6 WHERE siloname = '{dead.Name}'; UPDATE orleansmembershipversiontable SET version = version + 1");
        Assert.Equal(128 + 6, await dead.Process.WaitForExitAsync());
    }

    [Fact]
    public async Task ProdPassword_OnePod_LogsInWithWhatTheSecretHasAndStopsInOrder()
    {
        var (image, _) = await siloImage.GetAsync();
        await using var servers = await ProductionServers.StartAsync(
            8884,
            static (_, directory) => MosquittoPasswords.WriteAsync(Path.Combine(directory, "passwords"), ("devices-service", "rightly guessed")),
            "allow_anonymous false",
            "password_file {dir}/passwords");
        var manifests = (await Manifests.RenderAsync("overlays/prod-password"))
            .With(ProductionServers.SecretOf(Namespace, "silo-secrets", ("ConnectionStrings__postgresql", servers.DatabaseFor())))
            .With(ProductionServers.SecretOf(
                Namespace, "broker-password", ("ca.crt", servers.Read("ca.pem")), ("user", "devices-service\n"), ("password", "rightly guessed\n")));

        await using var pod = await Pod.StartAsync(servers.Network, manifests, "silo", image, ProductionServers.BrokerName);
        await pod.WaitForReadyAsync(manifests.Silo.Spec.Template.Spec.Containers.Single());

        // One connection that receives, one that publishes.
        await Until.TrueAsync(() => BrokerUser().Count(servers.Broker.Log) >= 2, "two connections of the service");
        await pod.StopAsync();
    }

    // On this side, as a device that has reported once.
    private static async Task ReportAsync(ProductionServers servers)
    {
        await ServerProcess.RunAsync(
            MosquittoBroker.Find("mosquitto_pub"), "-h", "127.0.0.1", "-p", servers.Broker.Port.ToString(CultureInfo.InvariantCulture), "--insecure", "--cafile", servers.PathOf("ca.pem"),
            "--cert", servers.PathOf("client.pem"), "--key", servers.PathOf("client.key"), "-q", "1", "-t", $"device/{Device}/pin/update", "-m", """[{"pin":13,"mode":3,"state":1}]""");
        await Until.TrueAsync(
            async () => await PostgreSqlServer.ScalarAsync(servers.Database, $"SELECT count(*) FROM mdc_grain_state WHERE grain_key = '{Device}' AND state IS NOT NULL") is 1L,
            "the device to be stored");
    }

    // The Job of infra/k8s/examples/mdc.
    private static async Task AskByJobAsync(ProductionServers servers, Manifests silos, Pod silo)
    {
        var manifests = silos.With(await Manifests.RenderAsync("examples/mdc")).With(Manifests.Parse(Manifests.ReadText("examples/mdc/job.yaml")));
        await using var mdc = await Pod.StartAsync(servers.Network, manifests, "mdc", PodImage.OfBuild("src/MqttDeviceCluster.Cli", "mdc"), [("silo-gateways", silo.Address)]);
        var code = await mdc.Process.WaitForExitAsync();
        Assert.True((code, mdc.Process.Error) is (0, ""), $"mdc ended with {code}: {mdc.Process.Output}{mdc.Process.Error}");
        Assert.Matches($"(?m)^{Device} .*13=high", mdc.Process.Output);
    }

    // The service of infra/k8s/examples/caller-production, with the rights that its readme gives it.
    private static async Task AskByServiceAsync(ProductionServers servers)
    {
        var grant = Grant().Match(Manifests.ReadText("README.md")).Groups["statement"].Value;
        await PostgreSqlServer.ExecuteAsync(servers.Database, $"DROP ROLE IF EXISTS caller; CREATE ROLE caller LOGIN PASSWORD 'asks'; {grant}");
        var manifests = (await Manifests.RenderAsync("examples/caller-production"))
            .With(ProductionServers.SecretOf(Namespace, "caller-secrets", ("ConnectionStrings__postgresql", servers.DatabaseFor("caller", "asks"))));
        var container = manifests.Pods.Single(static pods => pods.Name == "caller").Containers.Single();
        await using var caller = await Pod.StartAsync(servers.Network, manifests, "caller", PodImage.OfBuild("infra/k8s/examples/caller", "Caller"));
        await caller.WaitForReadyAsync(container);
        Assert.Equal(
            """[{"pin":13,"state":"High"}]""",
            await caller.Process.Http.GetStringAsync(new Uri($"devices/{Device}", UriKind.Relative), TestContext.Current.CancellationToken));
        await caller.StopAsync();
    }

    // Both versions of cgroups.
    private static async Task<long> MemoryLimitAsync(Pod pod)
    {
        var groups = (await pod.ReadProcessAsync("cgroup")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(':', 3)).ToList();
        var file = groups.Find(static group => group[1].Split(',').Contains("memory")) is { } v1
            ? $"/sys/fs/cgroup/memory{v1[2]}/memory.limit_in_bytes"
            : $"/sys/fs/cgroup{groups.Single(static group => group[0] == "0")[2]}/memory.max";
        return long.Parse(await File.ReadAllTextAsync(file), CultureInfo.InvariantCulture);
    }

    private static async Task WaitForNotReadyAsync(Pod pod, V1Container container)
    {
        await Until.TrueAsync(
            async () =>
            {
                using var response = await pod.Process.Http.GetAsync(new Uri(container.ReadinessProbe.HttpGet.Path, UriKind.Relative), TestContext.Current.CancellationToken);
                return response.StatusCode == HttpStatusCode.ServiceUnavailable;
            },
            "the pod to be not ready");

        // It still lives, and serves who did not notice yet.
        using var live = await pod.Process.Http.GetAsync(new Uri(container.LivenessProbe.HttpGet.Path, UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    [GeneratedRegex("--command='(?<statement>GRANT [^']+)'")]
    private static partial Regex Grant();

    [GeneratedRegex("New client connected .*u'devices-service'")]
    private static partial Regex BrokerUser();
}
