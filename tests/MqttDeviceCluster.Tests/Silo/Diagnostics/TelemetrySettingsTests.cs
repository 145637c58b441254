using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.Hosting;
using OpenTelemetry.Exporter;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.Tests.Silo.Diagnostics;

public sealed class TelemetrySettingsTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=", "")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "traces metrics logs")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_SDK_DISABLED=true", "")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_SDK_DISABLED=false", "traces metrics logs")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_LOGS_EXPORTER=none", "traces metrics")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_LOGS_EXPORTER=console,otlp", "traces metrics logs")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/v1/traces", "traces")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=https://c:4318/v1/metrics OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://d:4318", "metrics logs")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_TRACES_EXPORTER=otlp", "")]
    public void Read_Variables_DecideWhatIsExported(string variables, string expected)
    {
        var settings = Read(variables);

        var on = new[] { settings.Traces ? "traces" : "", settings.Metrics ? "metrics" : "", settings.Logs ? "logs" : "" }.Where(name => name.Length > 0);
        Assert.Equal(expected, string.Join(' ', on));
        Assert.Equal(expected.Length > 0, settings.IsAnyOn);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://collector.example:4317 or :4318.")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=/v1/logs", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT must be a URL such as http://collector.example:4317 or :4318.")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf but is 'http/json'.")]
    [InlineData("Telemetry:UpdateSamplingRatio=2", "Telemetry:UpdateSamplingRatio must be 0 to 1 but is '2'.")]
    [InlineData("Telemetry:UpdateSamplingRatio=NaN", "Telemetry:UpdateSamplingRatio must be 0 to 1 but is 'NaN'.")]
    public void Read_BadValue_IsSaidOnce(string variables, string expected) =>
        Assert.Equal(expected, Assert.Throws<SiloStartException>(() => Read(variables)).Message);

    [Fact]
    public void Configure_VariablesOfOneSignal_WinOverThoseOfAll()
    {
        var settings = Read("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t:4318/v1/traces OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf "
            + "OTEL_EXPORTER_OTLP_TRACES_HEADERS=key=secret OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=1234");
        OtlpExporterOptions traces = new() { Headers = "key=all" };
        OtlpExporterOptions logs = new() { Headers = "key=all" };
        var others = (logs.Endpoint, logs.Protocol, logs.TimeoutMilliseconds);

        settings.Configure(traces, OtlpSignal.Traces);
        settings.Configure(logs, OtlpSignal.Logs);

        Assert.Equal((new Uri("http://t:4318/v1/traces"), OtlpExportProtocol.HttpProtobuf, "key=secret", 1234), (traces.Endpoint, traces.Protocol, traces.Headers, traces.TimeoutMilliseconds));
        Assert.Equal((others.Endpoint, others.Protocol, "key=all", others.TimeoutMilliseconds), (logs.Endpoint, logs.Protocol, logs.Headers, logs.TimeoutMilliseconds));
    }

    [Theory]
    [InlineData("", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.RecordAndSample)]
    [InlineData("", "IDeviceGrain/SetPinsAsync", ActivityKind.Client, SamplingDecision.RecordAndSample)]
    [InlineData("", "IFleetGrain/ListAsync", ActivityKind.Server, SamplingDecision.RecordAndSample)]
    [InlineData("OTEL_TRACES_SAMPLER=always_off", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.Drop)]
    [InlineData("OTEL_TRACES_SAMPLER=parentbased_always_off", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.Drop)]
    [InlineData("OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.Drop)]
    [InlineData("OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.0", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.Drop)]
    [InlineData("OTEL_TRACES_SAMPLER=parentbased_traceidratio", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.RecordAndSample)]
    [InlineData("OTEL_TRACES_SAMPLER=nonsense", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.RecordAndSample)]
    [InlineData("", "activate grain", ActivityKind.Internal, SamplingDecision.Drop)]
    [InlineData("", "write storage", ActivityKind.Client, SamplingDecision.Drop)]
    [InlineData("", "IFleetObserver/OnEventsAsync", ActivityKind.Client, SamplingDecision.Drop)]
    [InlineData("OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0", "process device/{id}/pin/update", ActivityKind.Consumer, SamplingDecision.RecordAndSample)]
    public void Sampler_TraceThatBeginsHere_IsOneOfACallOrOfAMessage(string variables, string name, ActivityKind kind, SamplingDecision expected) =>
        Assert.Equal(expected, Read(variables).CreateSampler().ShouldSample(new(default, ActivityTraceId.CreateRandom(), name, kind)).Decision);

    [Theory]
    [InlineData(ActivityTraceFlags.Recorded, SamplingDecision.RecordAndSample)]
    [InlineData(ActivityTraceFlags.None, SamplingDecision.Drop)]
    public void Sampler_TraceThatBeganElsewhere_IsFollowed(ActivityTraceFlags flags, SamplingDecision expected)
    {
        ActivityContext parent = new(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), flags, null, isRemote: true);

        Assert.Equal(expected, Read("").CreateSampler().ShouldSample(new(parent, parent.TraceId, "write storage", ActivityKind.Client)).Decision);
    }

    private static TelemetrySettings Read(string variables)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(variable => variable.Split('=', 2)).Select(pair => KeyValuePair.Create(pair[0], (string?)pair[1]))).Build();
        SettingReader read = new(configuration);
        var settings = TelemetrySettings.Read(read, configuration);
        read.ThrowIfProblems();
        return settings;
    }
}
