using System.Globalization;
using k8s.Models;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of every rendered overlay, beyond the types of its objects. Each rule returns what does not, in sentences.</summary>
internal static class ManifestRules
{
    public static IReadOnlyList<string> Check(Manifests manifests) =>
    [
        .. Names(manifests), .. Selectors(manifests), .. Ports(manifests), .. PodRules.Check(manifests),
        .. manifests.All<V1Deployment>().Any(static deployment => deployment.Metadata.Name == "silo")
            ? [
                .. ProbeRules.Check(manifests), .. TimeRules.Check(manifests), .. SettingRules.Check(manifests), .. BrokerRules.Check(SettingRules.SettingsOf(manifests)),
                .. ConnectionRules.Check(manifests), .. CallerRules.Check(manifests),
            ]
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

            foreach (var probe in ProbeRules.Of(pods))
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
}
