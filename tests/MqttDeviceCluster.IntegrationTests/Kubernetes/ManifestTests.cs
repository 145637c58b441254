using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Cli;
using MqttDeviceCluster.Cli.Connection;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>infra/k8s renders, parses, and keeps the rules; and each rule finds what breaks it.</summary>
public sealed class ManifestTests
{
    /// <summary>The broker of these is one with TLS, as everywhere but on a laptop.</summary>
    public static TheoryData<string> Combinations() =>
    [
        .. from store in (string[])["postgresql", "redis"]
           from broker in (string[])["broker-tls", "broker-password"]
           from autoscaling in (string[])["", " autoscaling"]
           from monitoring in (string[])["", " monitoring"]
           select $"{store} {broker}{autoscaling}{monitoring}",
    ];

    [Theory]
    [InlineData("overlays/dev")]
    [InlineData("overlays/prod")]
    [InlineData("overlays/prod-password")]
    [InlineData("examples/production")]
    [InlineData("examples/production-password")]
    public async Task Overlay_Rendered_KeepsTheRules(string overlay) => Assert.Empty(ManifestRules.Check(await Manifests.RenderAsync(overlay)));

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Components_InAnyCombination_KeepTheRules(string components) => Assert.Empty(ManifestRules.Check(Manifests.Parse(await Rendered(components))));

    [Fact]
    public async Task Components_TwoWaysToTheBroker_AreNotRendered()
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(static () => Rendered("postgresql broker-tls broker-password"));
        Assert.Contains("silo-to-broker", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Caller_BesideTheDevOverlay_KeepsTheRulesAndReachesWhatItNeeds()
    {
        var both = Manifests.Parse($"{await Overlay("caller")}\n---\n{await Example("caller")}");
        Assert.Empty(ManifestRules.Check(both));

        NetworkRules rules = new(both);
        var (caller, silo, postgresql) = (Pod("caller"), Pod("silo"), Pod("postgresql"));
        Assert.True(rules.Allows(caller, silo, 30000), "the gateway");
        Assert.False(rules.Allows(caller, silo, 11111), "the port for silos");
        Assert.True(rules.Allows(caller, postgresql, 5432), "the members' table");
        Assert.False(rules.Allows(caller, Pod("mosquitto"), 1883), "the broker");
        Assert.True(rules.Allows(NetworkRules.Stranger(caller.Namespace, ("caller/client", "true")), caller, 8080), "its clients");
        Assert.False(rules.Allows(silo, caller, 8080), "everybody else");

        PodTemplate Pod(string name) => both.Pods.Single(pods => pods.Name == name);
    }

    [Fact]
    public async Task CallerInProduction_BesideTheProdOverlay_KeepsTheRulesAndReachesWhatItNeeds()
    {
        var both = Manifests.Parse($"{await Overlay("caller-production")}\n---\n{await Example("caller-production")}");
        Assert.Empty(ManifestRules.Check(both));

        NetworkRules rules = new(both);
        var (caller, silo) = (both.Pods.Single(static pods => pods.Name == "caller"), both.Pods.Single(static pods => pods.Name == "silo"));
        Assert.True(rules.Allows(caller, silo, 30000), "the gateway");
        Assert.False(rules.Allows(caller, silo, 11111), "the port for silos");
        Assert.True(rules.AllowsOut(caller, null, 5432), "the members' table");
        Assert.False(rules.AllowsOut(caller, null, 8884) || rules.AllowsOut(caller, null, 443), "everything else outside");
        Assert.True(rules.Allows(NetworkRules.Stranger(caller.Namespace, ("caller/client", "true")), caller, 8080), "its clients");
        Assert.False(rules.Allows(silo, caller, 8080), "everybody else");
    }

    [Theory]
    [InlineData("examples/production")]
    [InlineData("examples/production-password")]
    public async Task Production_WithAllThatBelongsBesideIt_KeepsTheRules(string example) =>
        Assert.Empty(ManifestRules.Check(Manifests.Parse($"{await Rendered(example)}\n---\n{await Example("caller-production")}\n---\n{await Example("mdc")}")));

    [Fact]
    public async Task Production_WithAPassword_DiffersInHowTheBrokerKnowsTheService()
    {
        // An operator copies either: what is mended in one must stand in the other.
        Assert.Equal(LinesOf("production"), LinesOf("production-password").Select(static line => line.Replace("overlays/prod-password", "overlays/prod", StringComparison.Ordinal)));

        var (certificate, password) = (await SettingsOf("examples/production"), await SettingsOf("examples/production-password"));
        Assert.Equal(
            ["Mqtt:CertificateAuthorityFile", "Mqtt:ClientCertificateFile", "Mqtt:ClientCertificateKeyFile", "Mqtt:PasswordFile", "Mqtt:UserNameFile"],
            certificate.Except(password).Union(password.Except(certificate)).Select(static setting => setting.Key).Distinct().Order(StringComparer.Ordinal));
        Assert.Contains(KeyValuePair.Create<string, string?>("Mqtt:DeadLetterTopic", "dead-letter"), password);

        static IEnumerable<string> LinesOf(string example) =>
            Manifests.ReadText($"examples/{example}/kustomization.yaml").Split('\n').SkipWhile(static line => line.StartsWith('#'));

        static async Task<List<KeyValuePair<string, string?>>> SettingsOf(string example) =>
            [.. SettingRules.SettingsOf(Manifests.Parse(await Rendered(example))).AsEnumerable().Where(static setting => setting.Value is not null)];
    }

    [Fact]
    public async Task Mdc_BesideTheProdOverlay_KeepsTheRulesAndIsUnderstood()
    {
        var both = Manifests.Parse($"{await Overlay("mdc")}\n---\n{await Example("mdc")}");
        Assert.Empty(ManifestRules.Check(both));

        // By mdc itself.
        var (mdc, silo) = (both.Pods.Single(static pods => pods.Name == "mdc").Containers.Single(), both.Silo.Spec.Template.Spec.Containers.Single());
        var environment = ContainerEnvironment.Of(both, mdc, SettingRules.Fields);
        var ofSilo = ContainerEnvironment.Of(both, silo, SettingRules.Fields);
        AskedConnector connector = new();
        await using StringWriter error = new();
        var code = await Mdc.RunAsync([.. mdc.Args], new() { Output = TextWriter.Null, Error = error, Variable = environment.GetValueOrDefault, Connector = connector }, TestContext.Current.CancellationToken);
        Assert.Equal((ExitCode.NoCluster, "mdc: as far as this\n"), (code, error.ToString()));
        Assert.Equal("silo-gateways:30000", string.Join(", ", connector.Settings!.Gateways));
        Assert.Equal((ofSilo["Orleans__ClusterId"], ofSilo["Orleans__ServiceId"]), (connector.Settings.ClusterId, connector.Settings.ServiceId));
    }

    /// <summary>What an editor may get wrong in an example, beside its overlay.</summary>
    [Theory]
    [InlineData("caller", "Orleans__ClusterId: dev", "Orleans__ClusterId: default", "caller looks for 'default', and the silos are 'dev'")]
    [InlineData("caller", "Orleans__ServiceId", "Orleans__Service", "Orleans__Service is read by nothing in caller")]
    [InlineData("caller", "Orleans__Clustering__ConnectionName: postgresql", "Orleans__Clustering__ConnectionName: postgres", "caller finds no gateways")]
    [InlineData("caller", "mountPath: /etc/caller/secrets", "mountPath: /etc/secrets", "caller finds no gateways")]
    [InlineData("caller", "port: postgresql", "port: 5433", "caller does not reach postgresql")]
    [InlineData("caller", "port: gateway", "port: silo", "caller reaches no gateway, or the port for silos")]
    [InlineData("caller", "targetPort: http", "targetPort: web", "caller serves at http, and no Service leads there")]
    [InlineData("caller", "  selector:\n    app.kubernetes.io/name: caller", "  selector:\n    app.kubernetes.io/name: called", "Service caller does not select exactly one kind of pods")]
    [InlineData("caller", "labels:\n        app.kubernetes.io/name: caller", "labels:\n        app.kubernetes.io/component: silo\n        app.kubernetes.io/name: mqtt-device-cluster", "silo selects the pods of caller")]
    [InlineData("caller", "  - from:\n    - podSelector:\n        matchLabels:\n          caller/client: \"true\"\n    ports", "  - ports", "caller is open to whatever runs in the cluster at http")]
    [InlineData("caller", "matchLabels:\n          caller/client: \"true\"", "{}", "caller is open to whatever runs in the cluster at http")]
    [InlineData("caller", "- Ingress\n", "", "caller has no policy for what comes in")]
    [InlineData("caller", "port: http\n  podSelector", "port: gateway\n  podSelector", "caller serves at http, and lets nobody in")]
    [InlineData("caller", "path: /health/ready", "path: /health", "caller has a probe of /health, where it answers nothing")]
    [InlineData("caller", "path: /health/live", "path: /health/ready", "caller is restarted for what a restart does not mend")]
    [InlineData("caller", "        livenessProbe:\n          failureThreshold: 6\n          httpGet:\n            path: /health/live\n            port: http\n          periodSeconds: 10\n          timeoutSeconds: 3\n", "", "caller is not probed")]
    [InlineData("caller-production", "Orleans__ClusterId: production", "Orleans__ClusterId: prod", "caller looks for 'prod', and the silos are 'production'")]
    [InlineData("caller-production", "secretName: caller-secrets", "secretName: caller", "caller wants the Secret caller")]
    [InlineData("caller-production", "ConnectionName: postgresql", "ConnectionName: postgres", "caller finds no gateways")]
    [InlineData("caller-production", "port: 5432", "port: 5433", "caller does not reach db.example")]
    [InlineData("caller-production", "cidr: 203.0.113.0/28", "cidr: 10.0.0.0/8", "caller does not reach db.example")]
    [InlineData("caller-production", "@sha256:0000000000000000000000000000000000000000000000000000000000000000", "", "is another one tomorrow")]
    [InlineData("caller-production", "namespace: mqtt-device-cluster", "namespace: callers", "in several namespaces")]
    [InlineData("mdc", "MDC_CLUSTER_ID: production", "MDC_CLUSTER_ID: prod", "mdc looks for 'prod', and the silos are 'production'")]
    [InlineData("mdc", "MDC_SERVICE_ID", "MDC_SERVICE", "MDC_SERVICE is read by nothing in mdc")]
    [InlineData("mdc", "MDC_GATEWAY: silo-gateways:30000", "MDC_GATEWAY: silo-http:30000", "mdc looks for gateways at silo-http:30000")]
    [InlineData("mdc", "MDC_GATEWAY: silo-gateways:30000", "MDC_GATEWAY: silo-gateways:11111", "mdc looks for gateways at silo-gateways:11111")]
    [InlineData("mdc", "clusterIP: None", "type: ClusterIP", "leads to the port gateway, where each silo is addressed by itself")]
    [InlineData("mdc", "targetPort: gateway", "targetPort: silo", "leads to the port silo, where each silo is addressed by itself")]
    [InlineData("mdc", "mqtt-device-cluster/caller: \"true\"", "mqtt-device-cluster/calls: \"true\"", "mdc names a cluster, and has no label that lets it in")]
    [InlineData("mdc", "- port: 53", "- port: 54", "mdc cannot ask for names")]
    [InlineData("mdc", "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: mdc", "podSelector: {}", "NetworkPolicy mdc does not select exactly one kind of pods")]
    [InlineData("mdc", "- Ingress\n", "", "mdc has no policy for what comes in")]
    [InlineData("mdc", "backoffLimit: 0", "backoffLimit: 1", "mdc may give its command a second time")]
    [InlineData("mdc", "restartPolicy: Never", "restartPolicy: OnFailure", "mdc may give its command a second time")]
    [InlineData("mdc", "runAsNonRoot: true", "runAsNonRoot: false", "mdc may run as root")]
    [InlineData("mdc", "name: mdc-settings\n  namespace", "name: mdc\n  namespace", "mdc wants the ConfigMap mdc-settings")]
    public async Task Rules_SomethingIsWrongInAnExample_SayWhat(string example, string from, string to, string problem)
    {
        AssertSaid(await Example(example), from, to, problem, $"{await Overlay(example)}\n---\n");
    }

    /// <summary>What an editor may get wrong, in the rendered text: from, to, and what is said then.</summary>
    [Theory]
    [InlineData("app.kubernetes.io/name: mqtt-device-cluster\n  strategy", "app.kubernetes.io/name: other\n  strategy", "silo does not select its own pods")]
    [InlineData("labelSelector:\n          matchLabels:\n            app.kubernetes.io/component: silo", "labelSelector:\n          matchLabels:\n            app.kubernetes.io/component: silos", "silo spreads other pods over topology.kubernetes.io/zone")]
    [InlineData("    matchLabels:\n      app.kubernetes.io/component: silo\n      app.kubernetes.io/name: mqtt-device-cluster\n  unhealthyPodEvictionPolicy", "    matchLabels:\n      app: silo\n  unhealthyPodEvictionPolicy", "PodDisruptionBudget silo does not select exactly one")]
    [InlineData("- port: 8884\n  podSelector:\n    matchLabels:\n      app.kubernetes.io/component: silo", "- port: 8884\n  podSelector:\n    matchLabels:\n      app.kubernetes.io/component: silos", "NetworkPolicy silo-to-broker does not select exactly one")]
    [InlineData("  selector:\n    app.kubernetes.io/component: silo\n    app.kubernetes.io/name: mqtt-device-cluster\n---", "  selector:\n    app: silo\n---", "Service silo-http does not select exactly one")]
    [InlineData("targetPort: http", "targetPort: 8080", "without a named port of a pod behind it")]
    [InlineData("targetPort: http", "targetPort: gateway", "leads to the port gateway")]
    [InlineData("path: /health/ready", "path: /healthz", "The readiness probe does not ask /health/ready")]
    [InlineData("path: /health/startup", "path: /health/ready", "The startup probe does not ask /health/startup")]
    [InlineData("path: /health/live", "path: /health/ready", "The liveness probe does not ask /health/live")]
    [InlineData("path: /health/live\n            port: http", "path: /health/live\n            port: web", "has a probe of port web")]
    [InlineData("name: gateway\n        readinessProbe", "name: gateway\n        - containerPort: 9090\n        readinessProbe", "silo has ports without a name of their own")]
    [InlineData("- port: silo\n    to:", "- port: silos\n    to:", "NetworkPolicy silo names the port silos, which no pod has")]
    [InlineData("terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 30", "The grace of 30 s does not cover")]
    [InlineData("failureThreshold: 72", "failureThreshold: 12", "while the silo still tries to join")]
    [InlineData("Shutdown__DrainDelay: \"00:00:05\"", "Shutdown__DrainDelay: \"00:00:05\"\n  Startup__DatabaseWait: \"00:04:00\"", "A start may wait 00:04:00 for databases, and is to join within 00:04:00")]
    [InlineData("progressDeadlineSeconds: 900", "progressDeadlineSeconds: 300", "A rollout is given up")]
    [InlineData("maxUnavailable: 0", "maxUnavailable: 1", "more than one silo at a time")]
    [InlineData("shareProcessNamespace: true", "shareProcessNamespace: false", "process 1 of its pod")]
    [InlineData("Shutdown__DrainDelay: \"00:00:05\"", "Shutdown__DrainDelay: \"00:00:00\"", "The drain delay of 00:00:00 is none")]
    [InlineData("Shutdown__DrainDelay: \"00:00:05\"", "Shutdown__DrainDelay: \"00:00:31\"", "Shutdown:DrainDelay must be")]
    [InlineData("runAsUser: 1654", "runAsUser: 0", "may run as root")]
    [InlineData("runAsNonRoot: true\n        runAsUser: 1654", "runAsUser: 1654", "may run as root")]
    [InlineData("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "writes to its root file system")]
    [InlineData("drop:\n            - ALL", "drop:\n            - KILL", "rights that it does not need")]
    [InlineData("automountServiceAccountToken: false\n      containers", "containers", "gets a token of the API server")]
    [InlineData("enableServiceLinks: false", "enableServiceLinks: true", "or the variables of Services")]
    [InlineData("enableServiceLinks: false", "enableServiceLinks: false\n      hostNetwork: true", "silo shares something with its node")]
    [InlineData("secret:\n          defaultMode: 288\n          secretName: broker-tls", "hostPath:\n          path: /etc/ssl", "silo shares something with its node")]
    [InlineData("image: registry.example/mqtt-device-cluster:0.1.0", "image: registry.example:5000/mqtt-device-cluster", "is another one tomorrow")]
    [InlineData("image: registry.example/mqtt-device-cluster:0.1.0", "image: registry.example/mqtt-device-cluster:latest", "is another one tomorrow")]
    [InlineData("          limits:\n            memory: 512Mi", "          limits:\n            cpu: 1\n            memory: 512Mi", "a throttled process answers no probes")]
    [InlineData("memory: 384Mi", "memory: 1Gi", "asks for more memory than it may have")]
    [InlineData("cpu: 500m\n            memory: 384Mi", "memory: 384Mi", "silo does not say what it takes")]
    [InlineData("limits:\n            memory: 512Mi\n          requests", "requests", "silo does not say what it takes")]
    [InlineData("        - mountPath: /tmp\n          name: tmp\n", "", "silo has volumes that are not mounted")]
    [InlineData("      - emptyDir:\n          medium: Memory\n          sizeLimit: 16Mi\n        name: tmp\n", "", "or mounts without a volume")]
    [InlineData("name: broker-tls\n          readOnly: true", "name: broker-tls\n          readOnly: true\n          subPath: ca.crt", "silo mounts a single file")]
    [InlineData("Mqtt__DeadLetterTopic", "Mqtt__DeadLetterTopics", "Mqtt:DeadLetterTopics is not a setting")]
    [InlineData("Shutdown__DrainDelay: \"00:00:05\"", "Shutdown__DrainDelay: soon", "Shutdown:DrainDelay must be")]
    [InlineData("DOTNET_PROCESSOR_COUNT", "DOTNET_PROCESSOR_COUNTS", "DOTNET_PROCESSOR_COUNTS is no setting")]
    [InlineData("OTEL_TRACES_SAMPLER_ARG", "OTEL_TRACES_SAMPLER_ARGS", "OTEL_TRACES_SAMPLER_ARGS is no setting")]
    [InlineData("Orleans__GrainStorage__Default__ConnectionName: postgresql", "Orleans__GrainStorage__Default__ConnectionName: postgres", "names no connection string")]
    [InlineData("Orleans__Clustering__ProviderType: PostgreSql", "Orleans__Clustering__Provider: PostgreSql", "Orleans:Clustering:Provider is read by nothing")]
    [InlineData("Mqtt__DeadLetterTopic: dead-letter", "ConnectionStrings__redis: redis.example", "ConnectionStrings:redis is named by nothing")]
    [InlineData("  ConnectionStrings__mqtt: mqtts://broker.example:8884\n", "", "the embedded broker is for one silo")]
    [InlineData("  Orleans__GrainStorage__Default__ConnectionName: postgresql\n  Orleans__GrainStorage__Default__ProviderType: PostgreSql\n", "", "the embedded store is for one silo")]
    [InlineData("broker-tls/ca.crt", "broker-tls/ca.pem", "which no secret has")]
    [InlineData("SettingsDirectory: /etc/mqtt-device-cluster/secrets", "SettingsDirectory: /secrets", "where nothing is mounted")]
    [InlineData("value: $(POD_NAME)", "value: $(POD)", "with a variable that was not declared before")]
    [InlineData("secretName: broker-tls", "secretName: broker", "wants the Secret broker")]
    [InlineData("- port: 8884", "- port: 8885", "silos reach broker.example:8884")]
    [InlineData("- port: 5432", "- port: 5433", "silos reach db.example:5432")]
    [InlineData("- port: 4317", "- port: 4316", "silos reach otel-collector.monitoring:4317")]
    [InlineData("kubernetes.io/metadata.name: monitoring", "kubernetes.io/metadata.name: telemetry", "silos reach otel-collector.monitoring:4317")]
    [InlineData("- port: silo\n    to:", "- port: gateway\n    to:", "silos reach each other")]
    [InlineData("mqtt-device-cluster/caller: \"true\"", "mqtt-device-cluster/client: \"true\"", "a caller reaches a gateway")]
    [InlineData("- podSelector:\n        matchLabels:\n          mqtt-device-cluster/caller: \"true\"", "- podSelector: {}", "a pod that is no caller reaches a gateway")]
    [InlineData("- podSelector:\n        matchLabels:\n          mqtt-device-cluster/caller: \"true\"", "- namespaceSelector: {}", "a pod of another namespace reaches a gateway")]
    [InlineData("mqtt-device-cluster/caller: \"true\"\n    ports:\n    - port: gateway", "mqtt-device-cluster/caller: \"true\"\n    ports:\n    - port: gateway\n    - port: silo", "a caller reaches the port for silos")]
    [InlineData("- from:\n    - podSelector:\n        matchLabels:\n          app.kubernetes.io/component: silo\n          app.kubernetes.io/name: mqtt-device-cluster", "- from:\n    - podSelector: {}", "a pod that is no silo reaches the port for silos")]
    [InlineData("- from:\n    - podSelector:\n        matchLabels:\n          app.kubernetes.io/component", "- from:\n    - namespaceSelector: {}\n      podSelector:\n        matchLabels:\n          app.kubernetes.io/component", "a pod of another namespace reaches the port for silos")]
    [InlineData("  - from:\n    - podSelector: {}\n    ports:\n    - port: http\n", "", "a pod of the namespace reaches HTTP")]
    [InlineData("- port: 8883", "- port: 443", "silos reach the API server")]
    [InlineData("- port: 8883", "- port: 6443", "silos reach the API server")]
    [InlineData("protocol: UDP", "protocol: SCTP", "silos ask for names")]
    [InlineData("kind: Deployment\n    name: silo", "kind: Deployment\n    name: silos", "has no target")]
    [InlineData("minReadySeconds: 20", "minReadySeconds: 20\n  replicas: 3", "or one with a number of its own")]
    [InlineData("namespace: mqtt-device-cluster\nspec:\n  maxUnavailable", "namespace: default\nspec:\n  maxUnavailable", "in several namespaces")]
    [InlineData("name: silo-to-collector", "name: silo-to-broker", "NetworkPolicy silo-to-broker is there twice")]
    public async Task Rules_SomethingIsWrong_SayWhat(string from, string to, string problem) => AssertSaid(await Rendered("overlays/prod"), from, to, problem);

    [Fact]
    public async Task Rules_SiloOnItsOwn_SaySo()
    {
        // Without an address too, or the silo itself refuses it.
        var text = (await Rendered("overlays/prod")).Replace("Orleans__Clustering__", "Orleans__Reminders__", StringComparison.Ordinal)
            .Replace("Orleans__Endpoints__AdvertisedIPAddress", "POD_IP", StringComparison.Ordinal);
        Assert.Contains("The silo would run with something embedded.", ManifestRules.Check(Manifests.Parse(text)));
    }

    /// <summary>What an editor may get wrong where the broker wants a password.</summary>
    [Theory]
    [InlineData("broker-password/password", "broker-password/pass", "Mqtt:PasswordFile is /etc/mqtt-device-cluster/broker-password/pass, which no secret has")]
    [InlineData("broker-password/ca.crt", "broker-tls/ca.crt", "Mqtt:CertificateAuthorityFile is /etc/mqtt-device-cluster/broker-tls/ca.crt, which no secret has")]
    [InlineData("mountPath: /etc/mqtt-device-cluster/broker-password", "mountPath: /etc/broker-password", "Mqtt:UserNameFile is /etc/mqtt-device-cluster/broker-password/user, which no secret has")]
    [InlineData("secretName: broker-password", "secretName: broker-tls", "Mqtt:UserNameFile is /etc/mqtt-device-cluster/broker-password/user, which no secret has")]
    [InlineData("secretName: broker-password", "secretName: broker", "wants the Secret broker")]
    [InlineData("  Mqtt__UserNameFile: /etc/mqtt-device-cluster/broker-password/user\n", "", "a password without a user name")]
    [InlineData("  Mqtt__PasswordFile: /etc/mqtt-device-cluster/broker-password/password\n", "", "a user name without a password")]
    [InlineData("Mqtt__AcknowledgeOutOfOrderAfter", "Mqtt__ClientCertificateFile: /etc/mqtt-device-cluster/broker-password/ca.crt\n  Mqtt__AcknowledgeOutOfOrderAfter", "a certificate and a password for the broker")]
    [InlineData("mqtts://broker.example", "mqtt://broker.example:8883", "its password to the broker in the clear")]
    [InlineData("- port: 8883", "- port: 1883", "silos reach broker.example:8883")]
    public async Task Rules_SomethingIsWrongWithThePassword_SayWhat(string from, string to, string problem) => AssertSaid(await Rendered("postgresql broker-password"), from, to, problem);

    [Theory]
    [InlineData("readOnlyRootFilesystem", "readOnlyRootFileSystem")]
    [InlineData("minReadySeconds: 20", "minReadySeconds: soon")]
    [InlineData("apiVersion: policy/v1", "apiVersion: policy/v1beta1")]
    public async Task Parse_NotOfTheType_Fails(string from, string to)
    {
        var text = await Rendered("overlays/prod");
        Assert.Contains(from, text, StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => Manifests.Parse(text.Replace(from, to, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Probes_OfARunningSilo_AreAnswered()
    {
        await using var silo = await SiloProcess.StartAsync();
        foreach (var path in ProbeRules.HealthPaths)
        {
            await silo.WaitForHealthAsync(path, static _ => true);
        }

        using var other = await silo.Http.GetAsync(new Uri("/health/other", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
    }

    // Once for all tests.
    private static readonly ConcurrentDictionary<string, Lazy<Task<string>>> All = new();

    // A directory, or components.
    private static Task<string> Rendered(string what) =>
        All.GetOrAdd(what, static what => new(() => what.Contains('/', StringComparison.Ordinal) ? Manifests.RenderTextAsync(what) : Manifests.RenderTextAsync(what.Split(' ')))).Value;

    private static void AssertSaid(string text, string from, string to, string problem, string beside = "")
    {
        Assert.Contains(from, text, StringComparison.Ordinal);
        Assert.Contains(ManifestRules.Check(Manifests.Parse(beside + text.Replace(from, to, StringComparison.Ordinal))), said => said.Contains(problem, StringComparison.Ordinal));
    }

    // Which one an example is made for.
    private static Task<string> Overlay(string example) => Rendered(example == "caller" ? "overlays/dev" : "overlays/prod");

    private static async Task<string> Example(string example) =>
        example == "mdc" ? $"{await Rendered("examples/mdc")}\n---\n{Manifests.ReadText("examples/mdc/job.yaml")}" : await Rendered($"examples/{example}");

    private sealed class AskedConnector : IClusterConnector
    {
        public ClusterSettings? Settings { get; private set; }

        public Task<IClusterConnection> ConnectAsync(ClusterSettings settings, CancellationToken cancellationToken)
        {
            Settings = settings;
            throw new NoClusterException("as far as this");
        }
    }
}
