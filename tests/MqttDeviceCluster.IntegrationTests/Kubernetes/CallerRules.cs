using System.Globalization;
using k8s.Models;
using MqttDeviceCluster.Cli.Commands;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of pods that call the silos beside them: they find the gateways of that very cluster, reach them and nothing else of it, and say who may connect to themselves.</summary>
internal static class CallerRules
{
    /// <summary>The label that the silos' network policy lets in.</summary>
    public const string Label = "mqtt-device-cluster/caller";

    /// <summary>The paths that infra/k8s/examples/caller answers; a test asks them.</summary>
    public static readonly IReadOnlyList<string> HealthPaths = ["/health/ready", "/health/live"];

    private static readonly string[] ClusterVariables = ["Orleans__ClusterId", CommonOptions.ClusterIdVariable];
    private static readonly string[] ServiceVariables = ["Orleans__ServiceId", CommonOptions.ServiceIdVariable];

    private static readonly HashSet<string> Variables =
    [
        .. ClusterVariables, .. ServiceVariables, CommonOptions.GatewayVariable, "Orleans__Clustering__ProviderType", "Orleans__Clustering__Invariant", "Orleans__Clustering__ConnectionName",
        "SettingsDirectory", "Urls", .. SettingRules.RuntimeVariables, .. SettingRules.TelemetryVariables,
    ];

    public static IEnumerable<string> Check(Manifests manifests) =>
        manifests.Pods.Where(pods => pods.Name != "silo" && HasItsSettings(manifests, pods) && EnvironmentOf(manifests, pods).Keys.Any(ClusterVariables.Contains))
            .SelectMany(caller => (string[])[.. Cluster(manifests, caller), .. Gateways(manifests, caller), .. Service(manifests, caller), .. Runs(manifests, caller)]);

    private static IEnumerable<string> Cluster(Manifests manifests, PodTemplate caller)
    {
        if (!caller.Labels.TryGetValue(Label, out var label) || label != "true")
        {
            yield return $"{caller.Name} names a cluster, and has no label that lets it in.";
        }

        var (own, silos) = (EnvironmentOf(manifests, caller), EnvironmentOf(manifests, manifests.Pods.Single(static pods => pods.Name == "silo")));
        foreach (var name in own.Keys.Where(static name => !Variables.Contains(name)))
        {
            yield return $"{name} is read by nothing in {caller.Name}.";
        }

        foreach (var names in (string[][])[ClusterVariables, ServiceVariables])
        {
            var value = names.Select(own.GetValueOrDefault).FirstOrDefault(static value => value is not null);
            if (value != silos[names[0]])
            {
                yield return $"{caller.Name} looks for '{value}', and the silos are '{silos[names[0]]}' ({names[0]}).";
            }
        }
    }

    private static IEnumerable<string> Gateways(Manifests manifests, PodTemplate caller)
    {
        NetworkRules rules = new(manifests);
        var silo = manifests.Pods.Single(static pods => pods.Name == "silo");
        var ports = silo.Containers.Single().Ports.ToDictionary(static port => port.Name, static port => port.ContainerPort);
        if (!rules.Allows(caller, silo, ports["gateway"]) || rules.Allows(caller, silo, ports["silo"]))
        {
            yield return $"{caller.Name} reaches no gateway, or the port for silos.";
        }

        if (!rules.AllowsOut(caller, "kube-system", 53, "UDP") || !rules.AllowsOut(caller, "kube-system", 53))
        {
            yield return $"{caller.Name} cannot ask for names.";
        }

        var environment = EnvironmentOf(manifests, caller);
        if (environment.TryGetValue(CommonOptions.GatewayVariable, out var given))
        {
            // By name: one that leads to each silo by itself.
            var (name, port) = given.Split(':') is [var first, var second] ? (first, second) : (given, "");
            var service = manifests.All<V1Service>().FirstOrDefault(service => service.Metadata.Name == name);
            if (service is not { Spec: { ClusterIP: "None", Ports: [{ TargetPort.Value: "gateway" }] } } || ports["gateway"].ToString(CultureInfo.InvariantCulture) != port)
            {
                yield return $"{caller.Name} looks for gateways at {given}, which is no headless Service of them, or not their port.";
            }
        }
        else if (ConnectionString(manifests, caller, environment) is not { } connection)
        {
            yield return $"{caller.Name} finds no gateways: it has neither their name nor a connection string for the members' table.";
        }
        else if (!(manifests.All<V1Service>().FirstOrDefault(service => service.Metadata.Name == connection.Host) is { } service
            ? rules.Allows(caller, manifests.Pods.Single(pods => NetworkRules.Selects(new() { MatchLabels = service.Spec.Selector }, pods.Labels)), connection.Port)
            : rules.AllowsOut(caller, null, connection.Port)))
        {
            yield return $"{caller.Name} does not reach {connection.Host}, where the members' table is.";
        }
    }

    // Read from the secret that is mounted as its SettingsDirectory. In one that an operator makes, it is a database outside.
    private static NpgsqlConnectionStringBuilder? ConnectionString(Manifests manifests, PodTemplate caller, Dictionary<string, string> environment)
    {
        var mount = caller.Containers.Single().VolumeMounts.FirstOrDefault(mount => mount.MountPath == environment.GetValueOrDefault("SettingsDirectory"));
        var secret = caller.Template.Spec.Volumes.FirstOrDefault(volume => volume.Name == mount?.Name)?.Secret?.SecretName;
        var key = $"ConnectionStrings__{environment.GetValueOrDefault("Orleans__Clustering__ConnectionName")}";
        return secret is null || !SettingRules.KeysOf(manifests, secret).Contains(key) ? null
            : new(manifests.All<V1Secret>().Any(made => made.Metadata.Name == secret) ? ContainerEnvironment.DataOf(manifests, null, secret)[key] : "Host=db.example");
    }

    private static IEnumerable<string> Service(Manifests manifests, PodTemplate caller)
    {
        NetworkRules rules = new(manifests);
        var (stranger, foreigner) = (NetworkRules.Stranger(caller.Namespace), NetworkRules.Stranger("another"));
        var ports = caller.Containers.SelectMany(static container => container.Ports ?? []).ToList();
        foreach (var port in ports)
        {
            if (manifests.All<V1Service>().All(service =>
                !NetworkRules.Selects(new() { MatchLabels = service.Spec.Selector }, caller.Labels) || service.Spec.Ports.All(leads => leads.TargetPort?.Value != port.Name)))
            {
                yield return $"{caller.Name} serves at {port.Name}, and no Service leads there.";
            }

            if (rules.Allows(stranger, caller, port.ContainerPort) || rules.Allows(foreigner, caller, port.ContainerPort))
            {
                yield return $"{caller.Name} is open to whatever runs in the cluster at {port.Name}.";
            }

            // Who is named in its own policy.
            var named = manifests.All<V1NetworkPolicy>().Where(policy => NetworkRules.Selects(policy.Spec.PodSelector, caller.Labels))
                .SelectMany(static policy => policy.Spec.Ingress ?? []).SelectMany(static rule => rule.FromProperty ?? []).Where(static peer => peer.PodSelector?.MatchLabels is not null);
            if (!named.Any(peer => rules.Allows(NetworkRules.Stranger(caller.Namespace, [.. peer.PodSelector.MatchLabels.Select(static label => (label.Key, label.Value))]), caller, port.ContainerPort)))
            {
                yield return $"{caller.Name} serves at {port.Name}, and lets nobody in.";
            }
        }

        // Where nothing listens.
        const int AnyPort = 1;
        if (rules.Allows(stranger, caller, AnyPort))
        {
            yield return $"{caller.Name} has no policy for what comes in.";
        }
    }

    private static IEnumerable<string> Runs(Manifests manifests, PodTemplate caller)
    {
        var container = caller.Containers.Single();
        if (manifests.All<V1Job>().FirstOrDefault(job => job.Spec.Template == caller.Template) is { } job)
        {
            if (job.Spec.BackoffLimit != 0 || caller.Template.Spec.RestartPolicy != "Never")
            {
                yield return $"{caller.Name} may give its command a second time.";
            }
        }
        else if (container is not { StartupProbe.HttpGet: not null, ReadinessProbe.HttpGet: not null, LivenessProbe.HttpGet: not null })
        {
            yield return $"{caller.Name} is not probed.";
        }

        foreach (var path in ProbeRules.Of(caller).Select(static probe => probe.HttpGet?.Path).Where(static path => path is not null && !HealthPaths.Contains(path)))
        {
            yield return $"{caller.Name} has a probe of {path}, where it answers nothing.";
        }

        if (container.LivenessProbe?.HttpGet?.Path is { } alive && alive != HealthPaths[1])
        {
            yield return $"{caller.Name} is restarted for what a restart does not mend ({alive}).";
        }
    }

    // Of a ConfigMap that is missing another rule tells.
    private static bool HasItsSettings(Manifests manifests, PodTemplate pods) => pods.Containers.SelectMany(static container => container.EnvFrom ?? [])
        .All(source => source.ConfigMapRef is null || manifests.All<V1ConfigMap>().Any(map => map.Metadata.Name == source.ConfigMapRef.Name));

    private static Dictionary<string, string> EnvironmentOf(Manifests manifests, PodTemplate pods) => ContainerEnvironment.Of(manifests, pods.Containers.Single(), SettingRules.Fields);
}
