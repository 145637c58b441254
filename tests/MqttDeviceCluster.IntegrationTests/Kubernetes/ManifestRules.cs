using System.Globalization;
using k8s.Models;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.Hosting;
using Orleans.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of every rendered overlay, beyond the types of its objects. Each rule returns what does not, in sentences.</summary>
internal static class ManifestRules
{
    /// <summary>The paths that the silo's host answers; a test asks one.</summary>
    public static readonly IReadOnlyList<string> HealthPaths = ["/health/startup", "/health/ready", "/health/live"];

    /// <summary>Secrets that an operator makes. What is in them, README.md says.</summary>
    private static readonly Dictionary<string, string[]> GivenSecrets = new()
    {
        ["silo-secrets"] = ["ConnectionStrings__postgresql", "ConnectionStrings__redis"],
        ["broker-tls"] = ["ca.crt", "tls.crt", "tls.key"],
        ["broker-password"] = ["ca.crt", "user", "password"],
        ["caller-secrets"] = ["ConnectionStrings__postgresql"],
    };

    /// <summary>Variables of the runtime that the manifests may use. A name that the runtime does not know, it passes over without a word.</summary>
    public static readonly IReadOnlySet<string> RuntimeVariables = new HashSet<string>
    {
        "DOTNET_PROCESSOR_COUNT", "DOTNET_GCHeapHardLimitPercent", "DOTNET_gcServer", "DOTNET_GCConserveMemory", "DOTNET_EnableDiagnostics",
    };

    /// <summary>OpenTelemetry's.</summary>
    public static readonly IReadOnlySet<string> TelemetryVariables = new HashSet<string>
    {
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG", "OTEL_METRIC_EXPORT_INTERVAL",
    };

    /// <summary>The least that is left after the longest orderly stop until the kubelet kills.</summary>
    private static readonly TimeSpan LeastGraceLeft = TimeSpan.FromSeconds(10);

    public static readonly IReadOnlyDictionary<string, string> Fields = new Dictionary<string, string>
    {
        ["metadata.name"] = "silo-5d9f-x2x7k",
        ["metadata.namespace"] = "somewhere",
        ["status.podIP"] = "10.1.2.3",
        ["spec.nodeName"] = "node-1",
    };

    public static IReadOnlyList<string> Check(Manifests manifests) =>
    [
        .. Names(manifests), .. Selectors(manifests), .. Ports(manifests), .. Security(manifests), .. Images(manifests), .. Resources(manifests), .. Volumes(manifests),
        .. manifests.All<V1Deployment>().Any(static deployment => deployment.Metadata.Name == "silo")
            ? [.. Probes(manifests), .. Times(manifests), .. Settings(manifests), .. BrokerRules.Check(SettingsOf(manifests)), .. Network(manifests), .. CallerRules.Check(manifests)]
            : (string[])[],
    ];

    private static IEnumerable<string> Names(Manifests manifests)
    {
        var namespaces = manifests.Objects.Where(static o => o is not V1Namespace).Select(static o => o.Metadata.NamespaceProperty).Distinct().ToList();
        if (namespaces is not [not null])
        {
            yield return $"The objects are in several namespaces, or in none: {string.Join(", ", namespaces)}.";
        }

        foreach (var twice in manifests.Objects.GroupBy(static o => $"{o.Kind} {o.Metadata.Name}").Where(static group => group.Count() > 1))
        {
            yield return $"{twice.Key} is there twice.";
        }
    }

    private static IEnumerable<string> Selectors(Manifests manifests)
    {
        foreach (var pods in manifests.Pods)
        {
            if (pods.Selector is not null && !NetworkRules.Selects(pods.Selector, pods.Labels))
            {
                yield return $"{pods.Name} does not select its own pods.";
            }

            foreach (var other in manifests.Pods.Where(other => other != pods && pods.Selector is not null && NetworkRules.Selects(pods.Selector, other.Labels)))
            {
                yield return $"{pods.Name} selects the pods of {other.Name}.";
            }

            foreach (var spread in pods.Template.Spec.TopologySpreadConstraints ?? [])
            {
                if (!NetworkRules.Selects(spread.LabelSelector, pods.Labels))
                {
                    yield return $"{pods.Name} spreads other pods over {spread.TopologyKey}.";
                }
            }
        }

        var selectors = manifests.All<V1Service>().Select(static service => ($"Service {service.Metadata.Name}", new V1LabelSelector { MatchLabels = service.Spec.Selector }))
            .Concat(manifests.All<V1PodDisruptionBudget>().Select(static budget => ($"PodDisruptionBudget {budget.Metadata.Name}", budget.Spec.Selector)))
            .Concat(manifests.All<V1NetworkPolicy>().Select(static policy => ($"NetworkPolicy {policy.Metadata.Name}", policy.Spec.PodSelector)));
        foreach (var (name, selector) in selectors)
        {
            if (manifests.Pods.Count(pods => NetworkRules.Selects(selector, pods.Labels)) != 1)
            {
                yield return $"{name} does not select exactly one kind of pods.";
            }
        }

        foreach (var scaler in manifests.All<V2HorizontalPodAutoscaler>())
        {
            var target = manifests.All<V1Deployment>().FirstOrDefault(deployment => deployment.Metadata.Name == scaler.Spec.ScaleTargetRef.Name);
            if (target is null || target.Spec.Replicas is not null)
            {
                yield return $"HorizontalPodAutoscaler {scaler.Metadata.Name} has no target, or one with a number of its own.";
            }
        }
    }

    private static IEnumerable<string> Ports(Manifests manifests)
    {
        foreach (var pods in manifests.Pods)
        {
            var ports = pods.Containers.SelectMany(static container => container.Ports ?? []).ToList();
            if (ports.Exists(static port => string.IsNullOrEmpty(port.Name)) || ports.DistinctBy(static port => port.Name).Count() < ports.Count)
            {
                yield return $"{pods.Name} has ports without a name of their own.";
            }

            foreach (var probe in ProbesOf(pods))
            {
                var port = probe.HttpGet?.Port.Value ?? probe.TcpSocket?.Port.Value;
                if (port is not null && ports.TrueForAll(named => named.Name != port))
                {
                    yield return $"{pods.Name} has a probe of port {port}, which has no such name.";
                }
            }
        }

        foreach (var service in manifests.All<V1Service>())
        {
            var pods = manifests.Pods.Where(pods => NetworkRules.Selects(new() { MatchLabels = service.Spec.Selector }, pods.Labels)).ToList();
            foreach (var port in service.Spec.Ports)
            {
                var target = pods.SelectMany(static one => one.Containers).SelectMany(static container => container.Ports ?? []).FirstOrDefault(named => named.Name == port.TargetPort?.Value);
                if (string.IsNullOrEmpty(port.Name) || target is null)
                {
                    yield return $"Service {service.Metadata.Name} has port {port.Port}, without a name or without a named port of a pod behind it.";
                }

                // A headless one is a name for all their addresses, and gateways are for callers.
                if (target is { Name: "silo" } || (target is { Name: "gateway" } && service.Spec.ClusterIP != "None"))
                {
                    yield return $"Service {service.Metadata.Name} leads to the port {target.Name}, where each silo is addressed by itself.";
                }
            }
        }

        foreach (var policy in manifests.All<V1NetworkPolicy>())
        {
            var known = manifests.Pods.SelectMany(static pods => pods.Containers).SelectMany(static container => container.Ports ?? []).Select(static port => port.Name).ToHashSet();
            var used = (policy.Spec.Ingress ?? []).SelectMany(static rule => rule.Ports ?? []).Concat((policy.Spec.Egress ?? []).SelectMany(static rule => rule.Ports ?? []));
            foreach (var port in used.Select(static port => port.Port.Value).Where(port => !int.TryParse(port, CultureInfo.InvariantCulture, out _) && !known.Contains(port)))
            {
                yield return $"NetworkPolicy {policy.Metadata.Name} names the port {port}, which no pod has.";
            }
        }
    }

    private static IEnumerable<string> Security(Manifests manifests)
    {
        if (manifests.Silo.Spec.Template.Spec.ShareProcessNamespace != true)
        {
            yield return "The silo is process 1 of its pod, which does not get the signal with which it ends itself.";
        }

        foreach (var pods in manifests.Pods)
        {
            var (spec, pod) = (pods.Template.Spec, pods.Template.Spec.SecurityContext);
            if (pod is not { RunAsNonRoot: true, RunAsUser: > 0, RunAsGroup: > 0, SeccompProfile.Type: "RuntimeDefault" })
            {
                yield return $"{pods.Name} may run as root, or without a seccomp profile.";
            }

            if (spec.AutomountServiceAccountToken != false || spec.EnableServiceLinks != false)
            {
                yield return $"{pods.Name} gets a token of the API server, or the variables of Services.";
            }

            if (spec.HostNetwork == true || spec.HostPID == true || spec.HostIPC == true || (spec.Volumes ?? []).Any(static volume => volume.HostPath is not null))
            {
                yield return $"{pods.Name} shares something with its node.";
            }

            foreach (var container in pods.Containers)
            {
                if (container.SecurityContext is not { AllowPrivilegeEscalation: false, ReadOnlyRootFilesystem: true, Capabilities: { Drop: ["ALL"], Add: null or [] } }
                    || container.SecurityContext is { Privileged: true } or { RunAsUser: 0 } or { RunAsNonRoot: false })
                {
                    yield return $"{pods.Name} has rights that it does not need, or writes to its root file system.";
                }
            }
        }
    }

    private static IEnumerable<string> Images(Manifests manifests)
    {
        foreach (var image in manifests.Pods.SelectMany(static pods => pods.Containers).Select(static container => container.Image))
        {
            var tag = image[(image.LastIndexOf('/') + 1)..].Split(':', '@') is [_, var first, ..] ? first : "";
            if (tag is "" or "latest")
            {
                yield return $"The image {image} is another one tomorrow.";
            }
        }
    }

    private static IEnumerable<string> Resources(Manifests manifests)
    {
        foreach (var (pods, container) in manifests.Pods.SelectMany(static pods => pods.Containers.Select(container => (pods, container))))
        {
            var (requests, limits) = (container.Resources?.Requests ?? new Dictionary<string, ResourceQuantity>(), container.Resources?.Limits ?? new Dictionary<string, ResourceQuantity>());
            if (!requests.ContainsKey("cpu") || !requests.TryGetValue("memory", out var least) || !limits.TryGetValue("memory", out var most))
            {
                yield return $"{pods.Name} does not say what it takes.";
            }
            else if (least.ToDecimal() > most.ToDecimal())
            {
                yield return $"{pods.Name} asks for more memory than it may have.";
            }

            if (limits.ContainsKey("cpu"))
            {
                yield return $"{pods.Name} has a CPU limit: a throttled process answers no probes.";
            }
        }
    }

    private static IEnumerable<string> Volumes(Manifests manifests)
    {
        foreach (var pods in manifests.Pods)
        {
            var volumes = pods.Template.Spec.Volumes ?? [];
            var mounts = pods.Containers.SelectMany(static container => container.VolumeMounts ?? []).ToList();
            var names = volumes.Select(static volume => volume.Name).Concat(pods.Claims).ToHashSet();
            if (!names.SetEquals(mounts.Select(static mount => mount.Name)))
            {
                yield return $"{pods.Name} has volumes that are not mounted, or mounts without a volume.";
            }

            if (mounts.Exists(static mount => mount.SubPath is not null))
            {
                yield return $"{pods.Name} mounts a single file, which is never renewed.";
            }

            var maps = volumes.Select(static volume => volume.ConfigMap?.Name).Concat(pods.Containers.SelectMany(static container => container.EnvFrom ?? []).Select(static source => source.ConfigMapRef?.Name));
            foreach (var name in maps.Where(name => name is not null && manifests.All<V1ConfigMap>().All(map => map.Metadata.Name != name)))
            {
                yield return $"{pods.Name} wants the ConfigMap {name}, which nobody makes.";
            }

            foreach (var name in volumes.Select(static volume => volume.Secret?.SecretName).Where(static name => name is not null))
            {
                if (!GivenSecrets.ContainsKey(name!) && manifests.All<V1Secret>().All(secret => secret.Metadata.Name != name))
                {
                    yield return $"{pods.Name} wants the Secret {name}, which nobody makes.";
                }
            }
        }
    }

    private static IEnumerable<string> Probes(Manifests manifests)
    {
        var container = manifests.Silo.Spec.Template.Spec.Containers.Single();
        (string Name, V1Probe? Probe, string Path)[] probes =
            [("startup", container.StartupProbe, HealthPaths[0]), ("readiness", container.ReadinessProbe, HealthPaths[1]), ("liveness", container.LivenessProbe, HealthPaths[2])];
        foreach (var (name, probe, path) in probes)
        {
            if (probe?.HttpGet is not { Port.Value: "http" } request || request.Path != path)
            {
                yield return $"The {name} probe does not ask {path} at the port http.";
            }
        }
    }

    private static IEnumerable<string> Times(Manifests manifests)
    {
        var (pod, deployment) = (manifests.Silo.Spec.Template.Spec, manifests.Silo.Spec);
        var container = pod.Containers.Single();
        var settings = SettingsOf(manifests);
        var grace = TimeSpan.FromSeconds(pod.TerminationGracePeriodSeconds ?? 30);
        var before = TimeSpan.FromSeconds(container.Lifecycle?.PreStop?.Sleep?.Seconds ?? 0);
        if (grace < before + SiloComposition.ShutdownTimeout + TelemetryShutdown.Timeout + LeastGraceLeft)
        {
            yield return $"The grace of {grace.TotalSeconds} s does not cover an orderly stop, which may take {(SiloComposition.ShutdownTimeout + TelemetryShutdown.Timeout).TotalSeconds} s after {before.TotalSeconds} s.";
        }

        // Long enough for what turns away by readiness: one period of its probe that fails as often as it must.
        if (!TimeSpan.TryParse(settings["Shutdown:DrainDelay"], CultureInfo.InvariantCulture, out var drain) || drain < TimeSpan.FromSeconds(1) || drain > SiloComposition.ShutdownTimeout / 2)
        {
            yield return $"The drain delay of {drain} is none, or leaves no time for the stop.";
        }

        var startup = container.StartupProbe is { } probe ? TimeSpan.FromSeconds((probe.PeriodSeconds ?? 10) * (probe.FailureThreshold ?? 3)) : TimeSpan.Zero;
        if (startup <= new ClusterMembershipOptions().MaxJoinAttemptTime)
        {
            yield return $"The startup probe gives up after {startup}, while the silo still tries to join.";
        }

        if (TimeSpan.FromSeconds(deployment.ProgressDeadlineSeconds ?? 600) <= startup)
        {
            yield return "A rollout is given up while a silo still starts.";
        }

        if (deployment.Strategy is not { Type: "RollingUpdate", RollingUpdate: { MaxUnavailable.Value: "0", MaxSurge.Value: "1" } })
        {
            yield return "A rollout takes more than one silo at a time.";
        }
    }

    private static IEnumerable<string> Settings(Manifests manifests)
    {
        var container = manifests.Silo.Spec.Template.Spec.Containers.Single();
        var environment = ContainerEnvironment.Of(manifests, container, Fields);
        foreach (var name in environment.Keys.Where(static name => !IsKnown(name)))
        {
            if (container.Env.All(variable => variable.Value?.Contains($"$({name})", StringComparison.Ordinal) != true))
            {
                yield return $"{name} is no setting of the silo, and of nothing else.";
            }
        }

        foreach (var (name, value) in environment.Where(static variable => variable.Value.Contains("$(", StringComparison.Ordinal)))
        {
            yield return $"{name} is '{value}', with a variable that was not declared before.";
        }

        // The very reading of the host: what it does not know, or cannot convert, it names.
        var settings = SettingsOf(manifests);
        string? refused = null;
        try
        {
            var read = SiloSettings.From(settings, "/");
            if (read is { EmbedsBroker: true } or { EmbedsStore: true } or { LocalhostClustering: true })
            {
                refused = "The silo would run with something embedded.";
            }
        }
        catch (SiloStartException e)
        {
            refused = e.Message;
        }

        if (refused is not null)
        {
            yield return refused;
        }

        foreach (var provider in (string[])["Orleans:Clustering", "Orleans:GrainStorage:Default"])
        {
            foreach (var key in settings.GetSection(provider).GetChildren().Select(static child => child.Key).Where(static key => key is not ("ProviderType" or "ConnectionName")))
            {
                yield return $"{provider}:{key} is read by nothing here.";
            }

            if (settings[$"{provider}:ConnectionName"] is not { } connection || settings.GetConnectionString(connection) is null)
            {
                yield return $"{provider} names no connection string that is there.";
            }
        }

        // Of a secret that an operator makes it is known what may be in it, and not what is.
        var written = GivenSecrets.ContainsKey(SettingsSecretOf(manifests)) ? environment.Keys : environment.Keys.Concat(KeysOf(manifests, SettingsSecretOf(manifests)));
        var named = settings.GetSection("Orleans").AsEnumerable().Where(static setting => setting.Key.EndsWith(":ConnectionName", StringComparison.OrdinalIgnoreCase)).Select(static setting => setting.Value)
            .Append(SiloSettings.BrokerConnectionName).ToHashSet(StringComparer.OrdinalIgnoreCase);
        const string Prefix = "ConnectionStrings__";
        foreach (var name in written.Where(static key => key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)).Select(static key => key[Prefix.Length..]).Where(name => !named.Contains(name)))
        {
            yield return $"ConnectionStrings:{name} is named by nothing.";
        }

        var mounts = container.VolumeMounts.Select(static mount => mount.MountPath).ToList();
        var paths = settings.GetSection("Mqtt").GetChildren().Where(static setting => setting.Key.EndsWith("File", StringComparison.Ordinal)).Select(static setting => (setting.Path, setting.Value!)).ToList();
        if (settings["SettingsDirectory"] is { } directory && !mounts.Contains(directory))
        {
            yield return $"SettingsDirectory is {directory}, where nothing is mounted.";
        }

        foreach (var (key, path) in paths)
        {
            var secret = manifests.Silo.Spec.Template.Spec.Volumes
                .FirstOrDefault(volume => container.VolumeMounts.Any(mount => mount.Name == volume.Name && mount.MountPath == Path.GetDirectoryName(path)))?.Secret?.SecretName;
            if (secret is null || !KeysOf(manifests, secret).Contains(Path.GetFileName(path)))
            {
                yield return $"{key} is {path}, which no secret has.";
            }
        }
    }

    private static IEnumerable<string> Network(Manifests manifests)
    {
        var rules = new NetworkRules(manifests);
        var silo = manifests.Pods.Single(static pods => pods.Name == "silo");
        var settings = SettingsOf(manifests);
        var caller = Stranger(silo.Namespace, (CallerRules.Label, "true"));
        var stranger = Stranger(silo.Namespace);
        var foreigner = Stranger("another", (CallerRules.Label, "true"), ("app.kubernetes.io/name", "mqtt-device-cluster"), ("app.kubernetes.io/component", "silo"));
        var (siloPort, gatewayPort, http) = (PortOf("silo"), PortOf("gateway"), PortOf("http"));
        (string What, bool Allowed, bool Expected)[] connections =
        [
            ("silos reach each other", rules.Allows(silo, silo, siloPort), true),
            ("a caller reaches a gateway", rules.Allows(caller, silo, gatewayPort), true),
            ("a caller reaches the port for silos", rules.Allows(caller, silo, siloPort), false),
            ("a pod that is no caller reaches a gateway", rules.Allows(stranger, silo, gatewayPort), false),
            ("a pod that is no silo reaches the port for silos", rules.Allows(stranger, silo, siloPort), false),
            ("a pod of another namespace reaches a gateway", rules.Allows(foreigner, silo, gatewayPort), false),
            ("a pod of another namespace reaches the port for silos", rules.Allows(foreigner, silo, siloPort), false),
            ("a pod of the namespace reaches HTTP", rules.Allows(stranger, silo, http), true),
            ("silos ask for names", rules.AllowsOut(silo, "kube-system", 53, "UDP") && rules.AllowsOut(silo, "kube-system", 53), true),
            ("silos reach the API server", rules.AllowsOut(silo, null, 443) || rules.AllowsOut(silo, null, 6443), false),
            .. Dialled().Select(static target => ($"silos reach {target.Name}", target.Allowed, true)),
        ];
        return connections.Where(static connection => connection.Allowed != connection.Expected).Select(static connection => $"It is {connection.Allowed} that {connection.What}.");

        int PortOf(string name) => silo.Containers.Single().Ports.Single(port => port.Name == name).ContainerPort;

        // What the settings name: a Service of these manifests, or something outside.
        IEnumerable<(string Name, bool Allowed)> Dialled()
        {
            if (settings.GetConnectionString("mqtt") is { } broker)
            {
                yield return To(new(broker), 1883, "mqtts", 8883);
            }

            var provider = settings["Orleans:Clustering:ProviderType"];
            yield return To(new($"db://{(provider == "PostgreSql" ? manifests.All<V1Service>().FirstOrDefault(static s => s.Metadata.Name == "postgresql")?.Metadata.Name ?? "db.example" : "redis.example")}"), provider == "PostgreSql" ? 5432 : 6379);
            if (settings["OTEL_EXPORTER_OTLP_ENDPOINT"] is { } collector)
            {
                yield return To(new(collector), 4317);
            }
        }

        (string Name, bool Allowed) To(Uri target, int port, string? otherScheme = null, int otherPort = 0)
        {
            port = !target.IsDefaultPort && target.Port > 0 ? target.Port : target.Scheme == otherScheme ? otherPort : port;
            var service = manifests.All<V1Service>().FirstOrDefault(service => service.Metadata.Name == target.Host);
            var parts = target.Host.Split('.');
            if (service is null)
            {
                return ($"{target.Host}:{port}", rules.AllowsOut(silo, parts is [_, var where] && where != "example" ? where : null, port));
            }

            var pods = manifests.Pods.Single(pods => NetworkRules.Selects(new() { MatchLabels = service.Spec.Selector }, pods.Labels));
            var behind = service.Spec.Ports.SingleOrDefault(one => one.Port == port)?.TargetPort.Value;
            var number = pods.Containers.SelectMany(static container => container.Ports).SingleOrDefault(one => one.Name == behind)?.ContainerPort;
            return ($"{target.Host}:{port}", number is { } there && rules.Allows(silo, pods, there));
        }
    }

    /// <summary>Returns the silo's settings: its environment, and the files of its secrets.</summary>
    private static IConfigurationRoot SettingsOf(Manifests manifests)
    {
        var container = manifests.Silo.Spec.Template.Spec.Containers.Single();
        var settings = ContainerEnvironment.Of(manifests, container, Fields).ToDictionary(static pair => pair.Key.Replace("__", ":", StringComparison.Ordinal), static pair => (string?)pair.Value);
        foreach (var key in KeysOf(manifests, SettingsSecretOf(manifests)))
        {
            settings[key.Replace("__", ":", StringComparison.Ordinal)] = "Host=somewhere";
        }

        return new ConfigurationBuilder().Add(new MemoryConfigurationSource { InitialData = settings }).Build();
    }

    private static string SettingsSecretOf(Manifests manifests) => manifests.Silo.Spec.Template.Spec.Volumes.Single(static volume => volume.Name == "secrets").Secret.SecretName;

    /// <summary>Returns the keys of a secret: one that is rendered, or one that an operator makes.</summary>
    public static string[] KeysOf(Manifests manifests, string secret) =>
        GivenSecrets.TryGetValue(secret, out var given) ? given
        : manifests.All<V1Secret>().Any(made => made.Metadata.Name == secret) ? [.. ContainerEnvironment.DataOf(manifests, null, secret).Keys]
        : [];

    private static bool IsKnown(string variable) =>
        SiloCommandLine.IsSetting(variable.Replace("__", ":", StringComparison.Ordinal)) || RuntimeVariables.Contains(variable) || TelemetryVariables.Contains(variable);

    public static IEnumerable<V1Probe> ProbesOf(PodTemplate pods) =>
        pods.Containers.SelectMany(static container => (V1Probe?[])[container.StartupProbe, container.ReadinessProbe, container.LivenessProbe]).OfType<V1Probe>();

    /// <summary>Returns a pod that is not in the manifests.</summary>
    public static PodTemplate Stranger(string inNamespace, params (string Key, string Value)[] labels) => new(
        "stranger", inNamespace, new(), new() { Metadata = new() { Labels = labels.ToDictionary(static label => label.Key, static label => label.Value) }, Spec = new() { Containers = [] } });
}
