using System.Diagnostics;
using k8s;
using k8s.Models;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What a Kustomization renders to, as typed objects: a field that does not exist, or has another type, is an error.</summary>
internal sealed class Manifests
{
    private static readonly string Home = Path.Combine(Repository.Root, "infra", "k8s");

    private readonly List<IKubernetesObject<V1ObjectMeta>> _objects;

    private Manifests(IEnumerable<object> objects)
    {
        _objects = [.. objects.Cast<IKubernetesObject<V1ObjectMeta>>()];
        Pods =
        [
            .. All<V1Deployment>().Select(static made => new PodTemplate(made.Metadata.Name, made.Metadata.NamespaceProperty, made.Spec.Selector, made.Spec.Template)),
            .. All<V1StatefulSet>().Select(static made => new PodTemplate(
                made.Metadata.Name, made.Metadata.NamespaceProperty, made.Spec.Selector, made.Spec.Template, [.. (made.Spec.VolumeClaimTemplates ?? []).Select(static claim => claim.Metadata.Name)])),
            .. All<V1Job>().Select(static made => new PodTemplate((made.Metadata.Name ?? made.Metadata.GenerateName).TrimEnd('-'), made.Metadata.NamespaceProperty, null, made.Spec.Template)),
        ];
    }

    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects => _objects;

    public V1Deployment Silo => All<V1Deployment>().Single(static deployment => deployment.Metadata.Name == "silo");

    /// <summary>Gets the templates of all pods, with the names of what makes them.</summary>
    public IReadOnlyList<PodTemplate> Pods { get; }

    public IEnumerable<T> All<T>() => _objects.OfType<T>();

    /// <summary>Renders a directory below infra/k8s.</summary>
    public static async Task<Manifests> RenderAsync(string directory) => Parse(await RenderTextAsync(directory));

    /// <inheritdoc cref="RenderAsync"/>
    public static Task<string> RenderTextAsync(string directory) => KustomizeAsync(Path.Combine(Home, directory));

    /// <summary>Reads a file below infra/k8s, of what no Kustomization can render: it takes no objects without a name.</summary>
    public static string ReadText(string file) => File.ReadAllText(Path.Combine(Home, file));

    /// <summary>Renders the base with components, as an overlay of somebody else would use them.</summary>
    public static async Task<string> RenderTextAsync(IEnumerable<string> components)
    {
        var directory = Directory.CreateTempSubdirectory("overlay-");
        try
        {
            // Kustomize takes no absolute paths.
            var home = Path.GetRelativePath(directory.FullName, Home);
            await File.WriteAllTextAsync(
                Path.Combine(directory.FullName, "kustomization.yaml"),
                $"""
                apiVersion: kustomize.config.k8s.io/v1beta1
                kind: Kustomization
                namespace: elsewhere
                resources: [{home}/base]
                components: [{string.Join(", ", components.Select(name => $"{home}/components/{name}"))}]
                images:
                  - name: mqtt-device-cluster
                    newTag: 1.2.3
                configMapGenerator:
                  - name: silo-settings
                    behavior: merge
                    literals: ["ConnectionStrings__mqtt=mqtts://broker.example"]
                """);
            return await KustomizeAsync(directory.FullName);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    public static Manifests Parse(string yaml) => new(KubernetesYaml.LoadAllFromString(yaml, typeMap: null, strict: true));

    /// <summary>Returns these objects and others, as if both were applied to one cluster.</summary>
    public Manifests With(Manifests others) => new([.. _objects, .. others._objects]);

    private static async Task<string> KustomizeAsync(string directory)
    {
        var kubectl = ServerProcess.Find("kubectl", "kubectl of Kubernetes, not of Debian");
        using var process = Process.Start(new ProcessStartInfo(kubectl, ["kustomize", directory]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"kubectl kustomize {directory}: {await error}");
    }
}

/// <summary>A template of pods.</summary>
/// <param name="Name">The name of what makes the pods.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Selector">Which pods it takes for its own; <see langword="null"/> for a Job, which marks them itself.</param>
/// <param name="Template">The template.</param>
/// <param name="Claims">The volumes that are made for each pod.</param>
internal sealed record PodTemplate(string Name, string Namespace, V1LabelSelector? Selector, V1PodTemplateSpec Template, params IReadOnlyList<string> Claims)
{
    public IDictionary<string, string> Labels => Template.Metadata.Labels;

    public IEnumerable<V1Container> Containers => Template.Spec.Containers.Concat(Template.Spec.InitContainers ?? []);
}
