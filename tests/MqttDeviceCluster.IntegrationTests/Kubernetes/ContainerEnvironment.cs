using System.Text;
using System.Text.RegularExpressions;
using k8s.Models;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>The environment of a container, put together as the kubelet does.</summary>
internal static partial class ContainerEnvironment
{
    /// <param name="manifests">Where ConfigMaps and Secrets are.</param>
    /// <param name="container">The container.</param>
    /// <param name="fields">What the fields of the pod are, by their paths, such as <c>status.podIP</c>.</param>
    public static Dictionary<string, string> Of(Manifests manifests, V1Container container, IReadOnlyDictionary<string, string> fields)
    {
        Dictionary<string, string> environment = [];
        foreach (var source in container.EnvFrom ?? [])
        {
            foreach (var (name, value) in DataOf(manifests, source.ConfigMapRef?.Name, source.SecretRef?.Name))
            {
                environment[source.Prefix + name] = value;
            }
        }

        foreach (var variable in container.Env ?? [])
        {
            var from = variable.ValueFrom;
            environment[variable.Name] = from switch
            {
                // Only what was declared before is expanded.
                null => Reference().Replace(variable.Value ?? "", match => environment.GetValueOrDefault(match.Groups[1].Value, match.Value)),
                { FieldRef: { } field } => fields[field.FieldPath],
                _ => DataOf(manifests, from.ConfigMapKeyRef?.Name, from.SecretKeyRef?.Name)[from.ConfigMapKeyRef?.Key ?? from.SecretKeyRef!.Key],
            };
        }

        return environment;
    }

    /// <summary>Returns the data of a ConfigMap or of a Secret.</summary>
    /// <exception cref="KeyNotFoundException">It is not there.</exception>
    public static IReadOnlyDictionary<string, string> DataOf(Manifests manifests, string? configMap, string? secret)
    {
        if (configMap is not null)
        {
            return manifests.All<V1ConfigMap>().FirstOrDefault(map => map.Metadata.Name == configMap)?.Data.AsReadOnly() ?? throw new KeyNotFoundException($"ConfigMap {configMap} is not there.");
        }

        var found = manifests.All<V1Secret>().FirstOrDefault(one => one.Metadata.Name == secret) ?? throw new KeyNotFoundException($"Secret {secret} is not there.");
        return (found.Data ?? new Dictionary<string, byte[]>()).ToDictionary(static pair => pair.Key, static pair => Encoding.UTF8.GetString(pair.Value));
    }

    [GeneratedRegex(@"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")]
    private static partial Regex Reference();
}
