using System.Net;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>infra/k8s renders, parses, and keeps the rules; and each rule finds what breaks it.</summary>
public sealed class ManifestTests
{
    /// <summary>The broker of these is one with TLS, as everywhere but on a laptop.</summary>
    public static TheoryData<string> Combinations() =>
    [
        .. from store in (string[])["postgresql", "redis"]
           from autoscaling in (string[])["", " autoscaling"]
           from monitoring in (string[])["", " monitoring"]
           select $"{store} broker-tls{autoscaling}{monitoring}",
    ];

    [Theory]
    [InlineData("overlays/dev")]
    [InlineData("overlays/prod")]
    public async Task Overlay_Rendered_KeepsTheRules(string overlay) => Assert.Empty(ManifestRules.Check(await Manifests.RenderAsync(overlay)));

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Components_InAnyCombination_KeepTheRules(string components) => Assert.Empty(ManifestRules.Check(await Manifests.RenderAsync(components.Split(' '))));

    [Fact]
    public async Task Example_BesideTheDevOverlay_KeepsTheRulesAndReachesWhatItNeeds()
    {
        var both = (await Manifests.RenderAsync("overlays/dev")).With(await Manifests.RenderAsync("examples/caller"));
        Assert.Empty(ManifestRules.Check(both));

        NetworkRules rules = new(both);
        var (caller, silo, postgresql) = (Pod("caller"), Pod("silo"), Pod("postgresql"));
        Assert.True(rules.Allows(caller, silo, 30000), "the gateway");
        Assert.False(rules.Allows(caller, silo, 11111), "the port for silos");
        Assert.True(rules.Allows(caller, postgresql, 5432), "the members' table");
        Assert.False(rules.Allows(caller, Pod("mosquitto"), 1883), "the broker");

        // It finds them only in the same cluster.
        var ofSilo = ContainerEnvironment.Of(both, silo.Containers.Single(), ManifestRules.Fields);
        var ofCaller = ContainerEnvironment.Of(both, caller.Containers.Single(), ManifestRules.Fields);
        Assert.Equal(ofSilo["Orleans__ClusterId"], ofCaller["Orleans__ClusterId"]);
        Assert.Equal(ofSilo["Orleans__ServiceId"], ofCaller["Orleans__ServiceId"]);

        PodTemplate Pod(string name) => both.Pods.Single(pods => pods.Name == name);
    }

    /// <summary>What an editor may get wrong, in the rendered text: from, to, and what is said then.</summary>
    [Theory]
    [InlineData("app.kubernetes.io/name: mqtt-device-cluster\n  strategy", "app.kubernetes.io/name: other\n  strategy", "silo does not select its own pods")]
    [InlineData("  selector:\n    app.kubernetes.io/component: silo\n    app.kubernetes.io/name: mqtt-device-cluster\n---", "  selector:\n    app: silo\n---", "Service silo-http does not select exactly one")]
    [InlineData("targetPort: http", "targetPort: 8080", "without a named port of a pod behind it")]
    [InlineData("targetPort: http", "targetPort: gateway", "leads to the port gateway")]
    [InlineData("path: /health/ready", "path: /healthz", "The readiness probe does not ask /health/ready")]
    [InlineData("path: /health/live\n            port: http", "path: /health/live\n            port: web", "has a probe of port web")]
    [InlineData("terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 30", "The grace of 30 s does not cover")]
    [InlineData("failureThreshold: 72", "failureThreshold: 12", "while the silo still tries to join")]
    [InlineData("progressDeadlineSeconds: 900", "progressDeadlineSeconds: 300", "A rollout is given up")]
    [InlineData("maxUnavailable: 0", "maxUnavailable: 1", "more than one silo at a time")]
    [InlineData("Shutdown__DrainDelay: \"00:00:05\"", "Shutdown__DrainDelay: \"00:00:31\"", "Shutdown:DrainDelay must be")]
    [InlineData("runAsUser: 1654", "runAsUser: 0", "may run as root")]
    [InlineData("runAsNonRoot: true\n        runAsUser: 1654", "runAsUser: 1654", "may run as root")]
    [InlineData("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "writes to its root file system")]
    [InlineData("drop:\n            - ALL", "drop:\n            - KILL", "rights that it does not need")]
    [InlineData("automountServiceAccountToken: false\n      containers", "containers", "gets a token of the API server")]
    [InlineData("image: registry.example/mqtt-device-cluster:0.1.0", "image: registry.example:5000/mqtt-device-cluster", "is another one tomorrow")]
    [InlineData("image: registry.example/mqtt-device-cluster:0.1.0", "image: registry.example/mqtt-device-cluster:latest", "is another one tomorrow")]
    [InlineData("          limits:\n            memory: 512Mi", "          limits:\n            cpu: 1\n            memory: 512Mi", "a throttled process answers no probes")]
    [InlineData("memory: 384Mi", "memory: 1Gi", "asks for more memory than it may have")]
    [InlineData("Mqtt__DeadLetterTopic", "Mqtt__DeadLetterTopics", "Mqtt:DeadLetterTopics is not a setting")]
    [InlineData("Shutdown__DrainDelay: \"00:00:05\"", "Shutdown__DrainDelay: soon", "Shutdown:DrainDelay must be")]
    [InlineData("DOTNET_PROCESSOR_COUNT", "DOTNET_PROCESSOR_COUNTS", "DOTNET_PROCESSOR_COUNTS is no setting")]
    [InlineData("OTEL_TRACES_SAMPLER_ARG", "OTEL_TRACES_SAMPLER_ARGS", "OTEL_TRACES_SAMPLER_ARGS is no setting")]
    [InlineData("Orleans__GrainStorage__Default__ConnectionName: postgresql", "Orleans__GrainStorage__Default__ConnectionName: postgres", "names no connection string")]
    [InlineData("Orleans__Clustering__ProviderType: PostgreSql", "Orleans__Clustering__Provider: PostgreSql", "Orleans:Clustering:Provider is read by nothing")]
    [InlineData("broker-tls/ca.crt", "broker-tls/ca.pem", "which no secret has")]
    [InlineData("SettingsDirectory: /etc/mqtt-device-cluster/secrets", "SettingsDirectory: /secrets", "where nothing is mounted")]
    [InlineData("value: $(POD_NAME)", "value: $(POD)", "with a variable that was not declared before")]
    [InlineData("secretName: broker-tls", "secretName: broker", "wants the Secret broker")]
    [InlineData("- port: 8884", "- port: 8885", "silos reach broker.example:8884")]
    [InlineData("- port: 5432", "- port: 5433", "silos reach db.example:5432")]
    [InlineData("- port: 4317", "- port: 4316", "silos reach otel-collector.monitoring:4317")]
    [InlineData("kubernetes.io/metadata.name: monitoring", "kubernetes.io/metadata.name: telemetry", "silos reach otel-collector.monitoring:4317")]
    [InlineData("mqtt-device-cluster/caller: \"true\"", "mqtt-device-cluster/client: \"true\"", "a caller reaches a gateway")]
    [InlineData("- podSelector:\n        matchLabels:\n          mqtt-device-cluster/caller: \"true\"", "- podSelector: {}", "a pod that is no caller reaches a gateway")]
    [InlineData("- podSelector:\n        matchLabels:\n          mqtt-device-cluster/caller: \"true\"", "- namespaceSelector: {}", "a pod of another namespace reaches a gateway")]
    [InlineData("protocol: UDP", "protocol: SCTP", "silos ask for names")]
    [InlineData("kind: Deployment\n    name: silo", "kind: Deployment\n    name: silos", "has no target")]
    [InlineData("namespace: mqtt-device-cluster\nspec:\n  maxUnavailable", "namespace: default\nspec:\n  maxUnavailable", "in several namespaces")]
    public async Task Rules_SomethingIsWrong_SayWhat(string from, string to, string problem)
    {
        var text = await Prod.Value;
        Assert.Contains(from, text, StringComparison.Ordinal);
        Assert.Contains(ManifestRules.Check(Manifests.Parse(text.Replace(from, to, StringComparison.Ordinal))), said => said.Contains(problem, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("readOnlyRootFilesystem", "readOnlyRootFileSystem")]
    [InlineData("minReadySeconds: 20", "minReadySeconds: soon")]
    [InlineData("apiVersion: policy/v1", "apiVersion: policy/v1beta1")]
    public async Task Parse_NotOfTheType_Fails(string from, string to)
    {
        var text = await Prod.Value;
        Assert.Contains(from, text, StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => Manifests.Parse(text.Replace(from, to, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Probes_OfARunningSilo_AreAnswered()
    {
        await using var silo = await SiloProcess.StartAsync();
        foreach (var path in ManifestRules.HealthPaths)
        {
            await silo.WaitForHealthAsync(path, static _ => true);
        }

        using var other = await silo.Http.GetAsync(new Uri("/health/other", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
    }

    private static readonly Lazy<Task<string>> Prod = new(static () => Manifests.RenderTextAsync("overlays/prod"));
}
