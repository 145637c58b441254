using System.Globalization;
using MqttDeviceCluster.Silo.Hosting;
using OpenTelemetry.Exporter;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>
/// What is exported, and where to. The standard <c>OTEL_*</c> variables decide and nothing else: a signal is exported when it has an endpoint. The SDK reads most of them itself;
/// here are those that decide whether there is anything to do, or that it reads for all signals at once only.
/// </summary>
internal sealed class TelemetrySettings
{
    public const string UpdateSamplingRatioKey = "Telemetry:UpdateSamplingRatio";

    private const double DefaultUpdateSamplingRatio = 0.001;

    private readonly TelemetryVariables _variables;
    private readonly Dictionary<OtlpSignal, Uri> _destinations = [];

    private TelemetrySettings(SettingReader read, IConfiguration configuration)
    {
        _variables = new(read, configuration);
        UpdateSamplingRatio = read.Value(UpdateSamplingRatioKey, DefaultUpdateSamplingRatio, TelemetryVariables.TryParseRatio, "0 to 1");
        if (string.Equals(configuration["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        foreach (var signal in Enum.GetValues<OtlpSignal>())
        {
            if (_variables.Destination(signal) is { } destination)
            {
                _destinations.Add(signal, destination);
                _variables.Check(signal);
            }
        }
    }

    /// <summary>Gets whether anything is exported.</summary>
    public bool IsAnyOn => _destinations.Count > 0;

    public bool Traces => _destinations.ContainsKey(OtlpSignal.Traces);

    public bool Metrics => _destinations.ContainsKey(OtlpSignal.Metrics);

    public bool Logs => _destinations.ContainsKey(OtlpSignal.Logs);

    /// <summary>Gets what goes where and how, for people: the names of the signals, and a URL without its query, with the protocol.</summary>
    public IEnumerable<(string Signals, string Url)> Destinations => _destinations
        .GroupBy(
            pair => $"{pair.Value.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)} ({_variables.ProtocolOf(pair.Key)})",
            static pair => pair.Key.ToString().ToLowerInvariant())
        .Select(static group => (string.Join(", ", group), group.Key));

    /// <summary>Gets the share of the messages that answer no traced command and get a trace of their own.</summary>
    public double UpdateSamplingRatio { get; }

    /// <summary>Gets whether <c>OTEL_TRACES_SAMPLER</c> turns everything off that nobody else has begun.</summary>
    public bool NeverBegins => _variables.NeverBegins;

    public static TelemetrySettings Read(SettingReader read, IConfiguration configuration) => new(read, configuration);

    public Sampler CreateSampler() => new SiloSampler(_variables.CreateSampler());

    /// <summary>Applies the variables of one signal: the SDK has read those that are for all.</summary>
    public void Configure(OtlpExporterOptions options, OtlpSignal signal)
    {
        if (_variables.Own(signal, "ENDPOINT") is not null)
        {
            options.Endpoint = _destinations[signal];
        }

        if (_variables.Own(signal, "PROTOCOL") is { } protocol)
        {
            options.Protocol = protocol == "grpc" ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        }

        options.Headers = _variables.Own(signal, "HEADERS") ?? options.Headers;
        if (_variables.Own(signal, "TIMEOUT") is { } timeout)
        {
            options.TimeoutMilliseconds = int.Parse(timeout, NumberStyles.None, CultureInfo.InvariantCulture);
        }
    }
}

/// <summary>What OTLP carries.</summary>
internal enum OtlpSignal
{
    Traces,
    Metrics,
    Logs,
}
