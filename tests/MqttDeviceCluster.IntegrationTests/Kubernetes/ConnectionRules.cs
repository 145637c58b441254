using k8s.Models;
using Microsoft.Extensions.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of who may connect to whom: silos reach what their settings name, and are reached by those who may.</summary>
internal static class ConnectionRules
{
    public static IEnumerable<string> Check(Manifests manifests)
    {
        var rules = new NetworkRules(manifests);
        var silo = manifests.Pods.Single(static pods => pods.Name == "silo");
        var settings = SettingRules.SettingsOf(manifests);
        var caller = NetworkRules.Stranger(silo.Namespace, (CallerRules.Label, "true"));
        var stranger = NetworkRules.Stranger(silo.Namespace);
        var foreigner = NetworkRules.Stranger("another", (CallerRules.Label, "true"), ("app.kubernetes.io/name", "mqtt-device-cluster"), ("app.kubernetes.io/component", "silo"));
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
}
