using k8s.Models;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of the silos' settings: the host understands them all, and what they name is there.</summary>
internal static class SettingRules
{
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

    /// <summary>What the kubelet would say of a pod.</summary>
    public static readonly IReadOnlyDictionary<string, string> Fields = new Dictionary<string, string>
    {
        ["metadata.name"] = "silo-5d9f-x2x7k",
        ["metadata.namespace"] = "somewhere",
        ["status.podIP"] = "10.1.2.3",
        ["spec.nodeName"] = "node-1",
    };

    public static IEnumerable<string> Check(Manifests manifests)
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
        var written = IsGiven(SettingsSecretOf(manifests)) ? environment.Keys : environment.Keys.Concat(KeysOf(manifests, SettingsSecretOf(manifests)));
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

    /// <summary>Returns the silo's settings: its environment, and the files of its secrets.</summary>
    public static IConfigurationRoot SettingsOf(Manifests manifests)
    {
        var container = manifests.Silo.Spec.Template.Spec.Containers.Single();
        var settings = ContainerEnvironment.Of(manifests, container, Fields).ToDictionary(static pair => pair.Key.Replace("__", ":", StringComparison.Ordinal), static pair => (string?)pair.Value);
        foreach (var key in KeysOf(manifests, SettingsSecretOf(manifests)))
        {
            settings[key.Replace("__", ":", StringComparison.Ordinal)] = "Host=somewhere";
        }

        return new ConfigurationBuilder().Add(new MemoryConfigurationSource { InitialData = settings }).Build();
    }

    /// <summary>Returns the keys of a secret: one that is rendered, or one that an operator makes.</summary>
    public static string[] KeysOf(Manifests manifests, string secret) =>
        GivenSecrets.TryGetValue(secret, out var given) ? given
        : manifests.All<V1Secret>().Any(made => made.Metadata.Name == secret) ? [.. ContainerEnvironment.DataOf(manifests, null, secret).Keys]
        : [];

    /// <summary>Returns whether an operator makes a secret.</summary>
    public static bool IsGiven(string secret) => GivenSecrets.ContainsKey(secret);

    private static string SettingsSecretOf(Manifests manifests) => manifests.Silo.Spec.Template.Spec.Volumes.Single(static volume => volume.Name == "secrets").Secret.SecretName;

    private static bool IsKnown(string variable) =>
        SiloCommandLine.IsSetting(variable.Replace("__", ":", StringComparison.Ordinal)) || RuntimeVariables.Contains(variable) || TelemetryVariables.Contains(variable);
}
