using k8s.Models;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of all pods, whatever they do: what they may, what they run, what they take, and what is mounted.</summary>
internal static class PodRules
{
    public static IEnumerable<string> Check(Manifests manifests) => [.. Security(manifests), .. Images(manifests), .. Resources(manifests), .. Volumes(manifests)];

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
                if (!SettingRules.IsGiven(name!) && manifests.All<V1Secret>().All(secret => secret.Metadata.Name != name))
                {
                    yield return $"{pods.Name} wants the Secret {name}, which nobody makes.";
                }
            }
        }
    }
}
