using System.Net;
using k8s.Models;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>Decides as a network plugin does: who may connect to whom. What no policy selects is open; what one selects needs a rule.</summary>
internal sealed class NetworkRules(Manifests manifests)
{
    /// <summary>Returns whether a pod may connect to a port of another, by the policies of both.</summary>
    public bool Allows(PodTemplate from, PodTemplate to, int port, string protocol = "TCP") =>
        AllowsEgress(from, to, null, port, protocol)
        && PoliciesOf(to, "Ingress") is var policies
        && (policies.Count == 0 || policies.SelectMany(static policy => policy.Spec.Ingress ?? []).Any(rule =>
            HasPort(rule.Ports, to, port, protocol) && (rule.FromProperty is null or [] || rule.FromProperty.Any(peer => Matches(peer, to.Namespace, from, null)))));

    /// <summary>Returns whether a pod may connect to what is no pod, or to a pod of another namespace.</summary>
    /// <param name="from">The pod.</param>
    /// <param name="toNamespace">The namespace of the target; <see langword="null"/> outside the cluster.</param>
    /// <param name="port">The port.</param>
    /// <param name="protocol">TCP or UDP.</param>
    public bool AllowsOut(PodTemplate from, string? toNamespace, int port, string protocol = "TCP") => AllowsEgress(from, null, toNamespace, port, protocol);

    private bool AllowsEgress(PodTemplate from, PodTemplate? to, string? toNamespace, int port, string protocol) =>
        PoliciesOf(from, "Egress") is var policies
        && (policies.Count == 0 || policies.SelectMany(static policy => policy.Spec.Egress ?? []).Any(rule =>
            HasPort(rule.Ports, to, port, protocol) && (rule.To is null or [] || rule.To.Any(peer => Matches(peer, from.Namespace, to, toNamespace)))));

    private List<V1NetworkPolicy> PoliciesOf(PodTemplate pod, string type) =>
    [
        .. manifests.All<V1NetworkPolicy>().Where(policy =>
            policy.Metadata.NamespaceProperty == pod.Namespace && policy.Spec.PolicyTypes.Contains(type) && Selects(policy.Spec.PodSelector, pod.Labels)),
    ];

    private static bool HasPort(IList<V1NetworkPolicyPort>? ports, PodTemplate? target, int port, string protocol) => ports is null or [] || ports.Any(allowed =>
        (allowed.Protocol ?? "TCP") == protocol
        && (allowed.Port is null
            || (int.TryParse(allowed.Port.Value, out var number)
                ? number == port
                : target?.Containers.SelectMany(static container => container.Ports ?? []).Any(named => named.Name == allowed.Port.Value && named.ContainerPort == port) == true)));

    private static bool Matches(V1NetworkPolicyPeer peer, string ownNamespace, PodTemplate? pod, string? toNamespace)
    {
        if (peer.IpBlock is not null)
        {
            return pod is null && toNamespace is null && IPNetwork.Parse(peer.IpBlock.Cidr).Contains(IPAddress.Parse("203.0.113.1"));
        }

        var where = pod?.Namespace ?? toNamespace;
        var fits = peer.NamespaceSelector is null
            ? where == ownNamespace
            : where is not null && Selects(peer.NamespaceSelector, new Dictionary<string, string> { ["kubernetes.io/metadata.name"] = where });
        return fits && (peer.PodSelector is null || (pod is not null && Selects(peer.PodSelector, pod.Labels)));
    }

    /// <summary>Returns whether a selector selects what has these labels.</summary>
    public static bool Selects(V1LabelSelector selector, IDictionary<string, string> labels) => selector.MatchExpressions is null or []
        ? (selector.MatchLabels ?? new Dictionary<string, string>()).All(label => labels.TryGetValue(label.Key, out var value) && value == label.Value)
        : throw new NotSupportedException("Selectors with expressions are not used here.");

    /// <summary>Returns a pod that is not in the manifests.</summary>
    public static PodTemplate Stranger(string inNamespace, params (string Key, string Value)[] labels) => new(
        "stranger", inNamespace, new(), new() { Metadata = new() { Labels = labels.ToDictionary(static label => label.Key, static label => label.Value) }, Spec = new() { Containers = [] } });
}
