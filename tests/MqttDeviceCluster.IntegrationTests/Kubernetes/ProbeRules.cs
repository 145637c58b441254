using k8s.Models;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of the silos' probes: each asks what it is for.</summary>
internal static class ProbeRules
{
    /// <summary>The paths that the silo's host answers; a test asks one.</summary>
    public static readonly IReadOnlyList<string> HealthPaths = ["/health/startup", "/health/ready", "/health/live"];

    public static IEnumerable<string> Check(Manifests manifests)
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

    /// <summary>Returns the probes of pods.</summary>
    public static IEnumerable<V1Probe> Of(PodTemplate pods) =>
        pods.Containers.SelectMany(static container => (V1Probe?[])[container.StartupProbe, container.ReadinessProbe, container.LivenessProbe]).OfType<V1Probe>();
}
