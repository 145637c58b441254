using System.Text.RegularExpressions;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>
/// The names under which Prometheus has an instrument that came by OTLP: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/, the default of
/// Prometheus' own receiver and of the collector's exporters.
/// </summary>
internal static partial class PrometheusName
{
    private static readonly Dictionary<string, string> Units = new(StringComparer.Ordinal)
    {
        ["s"] = "seconds",
        ["ms"] = "milliseconds",
        ["By"] = "bytes",
        ["bytes"] = "bytes",
        ["MB"] = "megabytes",
        ["%"] = "percent",
    };

    /// <summary>Returns all names of an instrument: a histogram has three.</summary>
    public static IEnumerable<string> Of(LiveInstrument instrument)
    {
        var name = Invalid().Replace(instrument.Name, "_");
        var unit = Annotation().Replace(instrument.Unit, "");
        if (unit == "1" && instrument.Kind == "gauge")
        {
            name = Suffixed(name, "ratio");
        }
        else if (unit.Length > 0 && unit != "1")
        {
            name = Suffixed(name, Units.GetValueOrDefault(unit, unit));
        }

        return instrument.Kind switch
        {
            "counter" => [Suffixed(name, "total")],
            "histogram" => [$"{name}_bucket", $"{name}_sum", $"{name}_count"],
            _ => [name],
        };
    }

    /// <summary>Returns the name of an attribute.</summary>
    public static string OfAttribute(string key) => Invalid().Replace(key, "_");

    private static string Suffixed(string name, string suffix) => name.EndsWith($"_{suffix}", StringComparison.Ordinal) ? name : $"{name}_{suffix}";

    [GeneratedRegex("[^a-zA-Z0-9_:]+")]
    private static partial Regex Invalid();

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Annotation();
}
