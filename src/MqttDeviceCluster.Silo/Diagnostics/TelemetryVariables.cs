using System.Globalization;
using MqttDeviceCluster.Silo.Hosting;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>
/// Finds what is wrong with the <c>OTEL_*</c> variables of a signal that is exported. The SDK goes on with a default and says so nowhere, exports nothing at all, or stops the
/// process with a sentence that does not name the variable.
/// </summary>
internal sealed class TelemetryVariables(SettingReader read, IConfiguration configuration)
{
    private const string SamplerKey = "OTEL_TRACES_SAMPLER";
    private const string RatioKey = "OTEL_TRACES_SAMPLER_ARG";
    private const string Endpoint = "ENDPOINT";
    private const string Protocol = "PROTOCOL";

    // What the SDK takes where nothing is said.
    private const int DefaultQueueSize = 2048;
    private const int DefaultBatchSize = 512;

    /// <summary>The SDK allocates a queue at once, whole.</summary>
    private const int MaxSize = 1_000_000;

    // Those that the specification names and a silo does not have: they are no mistake.
    private static readonly string[] OtherExporters = ["none", "console", "logging", "prometheus", "zipkin"];
    private static readonly string[] Samplers = ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"];

    /// <summary>Gets whether <c>OTEL_TRACES_SAMPLER</c> turns everything off that nobody else has begun.</summary>
    public bool NeverBegins => Sampler().EndsWith("always_off", StringComparison.Ordinal);

    /// <summary>Gets where a signal goes; <see langword="null"/> when it is not exported.</summary>
    public Uri? Destination(OtlpSignal signal)
    {
        var exportersKey = $"OTEL_{Name(signal)}_EXPORTER";
        var exporters = Text(exportersKey)?.Split(',', StringSplitOptions.TrimEntries);
        if (exporters?.Contains("otlp") == false)
        {
            if (exporters.FirstOrDefault(static exporter => !OtherExporters.Contains(exporter)) is { } unknown)
            {
                Report($"{exportersKey} must be otlp or none but is '{unknown}'");
            }

            return null;
        }

        if (Find(signal, Endpoint) is not var (key, endpoint))
        {
            return null;
        }

        // The SDK would go on with a default, to localhost.
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            Report($"{key} must be a URL such as http://collector.example:4317 or :4318");
            return null;
        }

        // The SDK sends neither, and appends the signal's path to what is there for all.
        if (url.UserInfo.Length > 0)
        {
            Report($"{key} must not hold a user and a password: they belong into OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20…");
        }

        if (url.Fragment.Length > 0 || (url.Query.Length > 0 && key == $"OTEL_EXPORTER_OTLP_{Endpoint}"))
        {
            Report($"{key} must not have a query or a fragment");
        }

        return url;
    }

    /// <summary>Checks how a signal is exported.</summary>
    public void Check(OtlpSignal signal)
    {
        if (Find(signal, Protocol) is var (protocolKey, protocol) && protocol is not ("grpc" or "http/protobuf"))
        {
            Report($"{protocolKey} must be grpc or http/protobuf but is '{protocol}'");
        }

        if (Find(signal, "HEADERS") is var (headersKey, headers) && !AreHeaders(headers))
        {
            // They hold passwords: what is there is not repeated.
            Report($"{headersKey} must be names and values of HTTP headers such as name=value,name=value, with no blank in a name and no name twice; what is no printable ASCII, a comma or a line break cannot be sent, also as %2C or %0A");
        }

        if (Find(signal, "COMPRESSION") is var (compressionKey, compression) && compression is not ("none" or "gzip"))
        {
            Report($"{compressionKey} must be none or gzip but is '{compression}'");
        }

        if (Find(signal, "CERTIFICATE") is var (certificateKey, certificate) && !File.Exists(certificate))
        {
            Report($"{certificateKey} names the file {certificate}, which is not there");
        }

        CheckNumber($"OTEL_EXPORTER_OTLP_{Name(signal)}_TIMEOUT");
        CheckNumber("OTEL_EXPORTER_OTLP_TIMEOUT");
        switch (signal)
        {
            case OtlpSignal.Traces:
                CheckSampler();
                CheckBatches("OTEL_BSP");
                break;
            case OtlpSignal.Metrics:
                CheckNumber("OTEL_METRIC_EXPORT_INTERVAL");
                CheckNumber("OTEL_METRIC_EXPORT_TIMEOUT");
                break;
            default:
                CheckBatches("OTEL_BLRP");
                break;
        }
    }

    /// <summary>Gets how a signal goes.</summary>
    public string ProtocolOf(OtlpSignal signal) => Find(signal, Protocol)?.Value ?? "grpc";

    /// <summary>Gets the variable of one signal alone.</summary>
    public string? Own(OtlpSignal signal, string name) => Text($"OTEL_EXPORTER_OTLP_{Name(signal)}_{name}");

    /// <summary>Makes the sampler that <c>OTEL_TRACES_SAMPLER</c> asks for.</summary>
    public Sampler CreateSampler() => Sampler() switch
    {
        "always_on" => new AlwaysOnSampler(),
        "always_off" => new AlwaysOffSampler(),
        "traceidratio" => new TraceIdRatioBasedSampler(Ratio()),
        "parentbased_always_off" => new ParentBasedSampler(new AlwaysOffSampler()),
        "parentbased_traceidratio" => new ParentBasedSampler(new TraceIdRatioBasedSampler(Ratio())),
        _ => new ParentBasedSampler(new AlwaysOnSampler()),
    };

    public static bool TryParseRatio(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && value is >= 0 and <= 1;

    private void CheckSampler()
    {
        var sampler = Sampler();
        if (!Samplers.Contains(sampler))
        {
            Report($"{SamplerKey} must be one of {string.Join(", ", Samplers)} but is '{sampler}'");
        }
        else if (sampler.EndsWith("ratio", StringComparison.Ordinal) && !TryParseRatio(Text(RatioKey) ?? "", out _))
        {
            // Without one the SDK traces everything.
            Report($"{RatioKey} must be 0 to 1 but is '{Text(RatioKey)}'");
        }
    }

    private void CheckBatches(string prefix)
    {
        CheckNumber($"{prefix}_SCHEDULE_DELAY");
        CheckNumber($"{prefix}_EXPORT_TIMEOUT");
        var queue = CheckNumber($"{prefix}_MAX_QUEUE_SIZE", MaxSize) ?? DefaultQueueSize;
        var batch = CheckNumber($"{prefix}_MAX_EXPORT_BATCH_SIZE", MaxSize) ?? DefaultBatchSize;
        if (batch > queue)
        {
            Report(string.Create(CultureInfo.InvariantCulture, $"{prefix}_MAX_EXPORT_BATCH_SIZE ({batch}) must not be above {prefix}_MAX_QUEUE_SIZE ({queue})"));
        }
    }

    private int? CheckNumber(string key, int max = int.MaxValue)
    {
        if (Text(key) is not { } text)
        {
            return null;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= max)
        {
            return number;
        }

        Report(string.Create(CultureInfo.InvariantCulture, $"{key} must be a whole number, 1 to {max}, but is '{text}'"));
        return null;
    }

    /// <summary>Whether headers are as the SDK takes them apart and as HTTP can send them.</summary>
    private static bool AreHeaders(string headers)
    {
        HashSet<string> names = new(StringComparer.OrdinalIgnoreCase);
        using HttpRequestMessage request = new();
        var pairs = Uri.UnescapeDataString(headers);
        foreach (var pair in (pairs.EndsWith(',') ? pairs[..^1] : pairs).Split(','))
        {
            var at = pair.IndexOf('=', StringComparison.Ordinal);
            var value = pair[(at + 1)..].Trim();
            if (at < 0 || !names.Add(pair[..at].Trim()) || value.AsSpan().ContainsAnyExceptInRange(' ', '~') || !request.Headers.TryAddWithoutValidation(pair[..at].Trim(), value))
            {
                return false;
            }
        }

        return true;
    }

    private void Report(string problem)
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
            if (Text(key) is { } value)
            {
                return (key, value);
            }
        }

        return null;
    }

    // An empty variable is none, as the specification has it, and the SDK does without the blanks around one.
    private string? Text(string key) => configuration[key]?.Trim() is { Length: > 0 } value ? value : null;

    private string Sampler() => Text(SamplerKey)?.ToLowerInvariant() ?? "parentbased_always_on";

    private double Ratio() => Text(RatioKey) is { } text && TryParseRatio(text, out var ratio) ? ratio : 1;

    private static string Name(OtlpSignal signal) => signal.ToString().ToUpperInvariant();
}
