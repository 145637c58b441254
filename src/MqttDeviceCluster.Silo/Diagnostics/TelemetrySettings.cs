using System.Globalization;
using MqttDeviceCluster.Silo.Hosting;
using OpenTelemetry.Exporter;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>
/// What is exported, and where to. The standard <c>OTEL_*</c> variables decide and nothing else: a signal is exported when it has an endpoint. The SDK reads most of them itself;
/// here are those that decide whether there is anything to do, that it reads for all signals at once only, or that it would pass over when they are wrong.
/// </summary>
internal sealed class TelemetrySettings
{
    public const string UpdateSamplingRatioKey = "Telemetry:UpdateSamplingRatio";

    private const double DefaultUpdateSamplingRatio = 0.001;
    private const string Endpoint = "ENDPOINT";
    private const string Protocol = "PROTOCOL";

    private readonly IConfiguration _configuration;

    private TelemetrySettings(SettingReader read, IConfiguration configuration)
    {
        _configuration = configuration;
        UpdateSamplingRatio = read.Value(UpdateSamplingRatioKey, DefaultUpdateSamplingRatio, TryParseRatio, "0 to 1");
        if (string.Equals(configuration["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        Traces = IsOn(read, OtlpSignal.Traces);
        Metrics = IsOn(read, OtlpSignal.Metrics);
        Logs = IsOn(read, OtlpSignal.Logs);
    }

    /// <summary>Gets whether anything is exported.</summary>
    public bool IsAnyOn => Traces || Metrics || Logs;

    public bool Traces { get; }

    public bool Metrics { get; }

    public bool Logs { get; }

    /// <summary>Gets the share of the messages that answer no traced command and get a trace of their own.</summary>
    public double UpdateSamplingRatio { get; }

    public static TelemetrySettings Read(SettingReader read, IConfiguration configuration) => new(read, configuration);

    /// <summary>Makes the sampler that <c>OTEL_TRACES_SAMPLER</c> asks for; one that is not known is the default, as the SDK has it.</summary>
    public Sampler CreateSampler()
    {
        Sampler root = _configuration["OTEL_TRACES_SAMPLER"]?.ToUpperInvariant() switch
        {
            "ALWAYS_ON" => new AlwaysOnSampler(),
            "ALWAYS_OFF" => new AlwaysOffSampler(),
            "TRACEIDRATIO" => new TraceIdRatioBasedSampler(SamplerArgument()),
            "PARENTBASED_ALWAYS_OFF" => new ParentBasedSampler(new AlwaysOffSampler()),
            "PARENTBASED_TRACEIDRATIO" => new ParentBasedSampler(new TraceIdRatioBasedSampler(SamplerArgument())),
            _ => new ParentBasedSampler(new AlwaysOnSampler()),
        };
        return new SiloSampler(root);
    }

    /// <summary>Gets whether <c>OTEL_TRACES_SAMPLER</c> turns everything off that nobody else has begun.</summary>
    public bool NeverBegins => _configuration["OTEL_TRACES_SAMPLER"]?.EndsWith("always_off", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Applies the variables of one signal: the SDK has read those that are for all.</summary>
    public void Configure(OtlpExporterOptions options, OtlpSignal signal)
    {
        if (Own(signal, Endpoint) is { } endpoint)
        {
            options.Endpoint = new Uri(endpoint);
        }

        if (Own(signal, Protocol) is { } protocol)
        {
            options.Protocol = protocol == "grpc" ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        }

        options.Headers = Own(signal, "HEADERS") ?? options.Headers;
        if (int.TryParse(Own(signal, "TIMEOUT"), NumberStyles.None, CultureInfo.InvariantCulture, out var timeout))
        {
            options.TimeoutMilliseconds = timeout;
        }
    }

    private bool IsOn(SettingReader read, OtlpSignal signal)
    {
        if (_configuration[$"OTEL_{Name(signal)}_EXPORTER"] is { Length: > 0 } exporters && !exporters.Split(',', StringSplitOptions.TrimEntries).Contains("otlp"))
        {
            return false;
        }

        if (Find(signal, Endpoint) is not var (key, endpoint))
        {
            return false;
        }

        // The SDK would go on with a default, to localhost, and say so nowhere.
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            Report(read, $"{key} must be a URL such as http://collector.example:4317 or :4318");
        }

        if (Find(signal, Protocol) is var (protocolKey, protocol) && protocol is not ("grpc" or "http/protobuf"))
        {
            Report(read, $"{protocolKey} must be grpc or http/protobuf but is '{protocol}'");
        }

        return true;
    }

    private static void Report(SettingReader read, string problem)
    {
        // Three signals may have one and the same.
        if (!read.Problems.Contains(problem))
        {
            read.Problems.Add(problem);
        }
    }

    private (string Key, string Value)? Find(OtlpSignal signal, string name)
    {
        foreach (var key in (ReadOnlySpan<string>)[$"OTEL_EXPORTER_OTLP_{Name(signal)}_{name}", $"OTEL_EXPORTER_OTLP_{name}"])
        {
            if (_configuration[key] is { Length: > 0 } value)
            {
                return (key, value);
            }
        }

        return null;
    }

    private string? Own(OtlpSignal signal, string name) => _configuration[$"OTEL_EXPORTER_OTLP_{Name(signal)}_{name}"] is { Length: > 0 } value ? value : null;

    private double SamplerArgument() => _configuration["OTEL_TRACES_SAMPLER_ARG"] is { } text && TryParseRatio(text, out var ratio) ? ratio : 1;

    private static string Name(OtlpSignal signal) => signal.ToString().ToUpperInvariant();

    private static bool TryParseRatio(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && value is >= 0 and <= 1;
}

/// <summary>What OTLP carries.</summary>
internal enum OtlpSignal
{
    Traces,
    Metrics,
    Logs,
}
