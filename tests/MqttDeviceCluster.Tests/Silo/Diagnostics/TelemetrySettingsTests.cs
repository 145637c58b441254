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
    [InlineData(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://me:secret@c",
        "OTEL_EXPORTER_OTLP_ENDPOINT must not hold a user and a password: they belong into OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20….")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c/base?key=secret", "OTEL_EXPORTER_OTLP_ENDPOINT must not have a query or a fragment.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_BSP_MAX_QUEUE_SIZE=2147483647", "OTEL_BSP_MAX_QUEUE_SIZE must be a whole number, 1 to 1000000, but is '2147483647'.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_CERTIFICATE=/not/there.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE names the file /not/there.pem, which is not there.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_TRACES_EXPORTER=oltp", "OTEL_TRACES_EXPORTER must be otlp or none but is 'oltp'.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_LOGS_COMPRESSION=zstd", "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION must be none or gzip but is 'zstd'.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_METRIC_EXPORT_INTERVAL=0", "OTEL_METRIC_EXPORT_INTERVAL must be a whole number, 1 to 2147483647, but is '0'.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_TIMEOUT must be a whole number, 1 to 2147483647, but is '10s'.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=-1", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT must be a whole number, 1 to 2147483647, but is '-1'.")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_BSP_SCHEDULE_DELAY=99999999999", "OTEL_BSP_SCHEDULE_DELAY must be a whole number, 1 to 2147483647, but is '99999999999'.")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_BLRP_MAX_EXPORT_BATCH_SIZE=4096", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE (4096) must not be above OTEL_BLRP_MAX_QUEUE_SIZE (2048).")]
    [InlineData("Telemetry:UpdateSamplingRatio=2", "Telemetry:UpdateSamplingRatio must be 0 to 1 but is '2'.")]
    [InlineData("Telemetry:UpdateSamplingRatio=NaN", "Telemetry:UpdateSamplingRatio must be 0 to 1 but is 'NaN'.")]
    public void Read_BadValue_IsSaidOnce(string variables, string expected) =>
        Assert.Equal(expected, Assert.Throws<SiloStartException>(() => Read(variables)).Message);

    [Theory]
    [InlineData("always_of", null, "OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio but is 'always_of'.")]
    [InlineData("parentbased_traceidratio", "1%", "OTEL_TRACES_SAMPLER_ARG must be 0 to 1 but is '1%'.")]
    [InlineData("traceidratio", null, "OTEL_TRACES_SAMPLER_ARG must be 0 to 1 but is ''.")]
    [InlineData("traceidratio", "1.5", "OTEL_TRACES_SAMPLER_ARG must be 0 to 1 but is '1.5'.")]
    [InlineData("TraceIdRatio", "0.5", null)]
    [InlineData("always_on", "what only a ratio reads", null)]
    [InlineData("", "", null)]
    public void Read_Sampler_IsKnownOrRefused(string sampler, string? ratio, string? problem)
    {
        Dictionary<string, string?> variables = new() { ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://c", ["OTEL_TRACES_SAMPLER"] = sampler, ["OTEL_TRACES_SAMPLER_ARG"] = ratio };
        Assert.Equal(problem, Record.Exception(() => Read(variables))?.Message);

        // Where nothing is traced it is not asked.
        variables.Remove("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        Assert.False(Read(variables).Traces);
    }

    [Fact]
    public void Read_BlanksAroundAValue_AreNotPartOfIt()
    {
        var settings = Read(new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = " http://c:4317\n", ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc ", ["OTEL_TRACES_SAMPLER"] = " " });

        Assert.Equal([("traces, metrics, logs", "http://c:4317/ (grpc)")], settings.Destinations);
    }

    [Theory]
    [InlineData("a=b", true)]
    [InlineData(" authorization = Bearer x , X-Tenant=a=b ,", true)]
    [InlineData("authorization=Basic%20eA==", true)]
    [InlineData("authorization=Bearer x\n", true)]
    [InlineData("a=", true)]
    [InlineData("foo", false)]
    [InlineData("=b", false)]
    [InlineData("my key=b", false)]
    [InlineData("a=b,,c=d", false)]
    [InlineData("a=b,A=c", false)]
    [InlineData("a=b%2Cc", false)]
    [InlineData("a=b%0Ac: d", false)]
    [InlineData("a=b\nc=d", false)]
    [InlineData("a=bé", false)]
    [InlineData("content-type=x", false)]
    public void Read_Headers_AreSuchAsCanBeSentOrRefusedWithoutBeingShown(string headers, bool valid)
    {
        var exception = Record.Exception(() => Read(new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://c", ["OTEL_EXPORTER_OTLP_HEADERS"] = headers }));

        Assert.Equal(valid, exception is null);
        if (exception is not null)
        {
            Assert.StartsWith("OTEL_EXPORTER_OTLP_HEADERS must be names and values of HTTP headers such as name=value,name=value, ", exception.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(headers, exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Destinations_AreWhatGoesWhereWithoutAPassword()
    {
        var settings = Read("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://d/v1/logs?key=secret");

        Assert.Equal([("traces, metrics", "http://c:4317/ (grpc)"), ("logs", "https://d/v1/logs (grpc)")], settings.Destinations);
    }

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
    [InlineData("OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=1", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.RecordAndSample)]
    [InlineData("OTEL_TRACES_SAMPLER=Always_Off", "IDeviceGrain/SetPinsAsync", ActivityKind.Server, SamplingDecision.Drop)]
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

    [Theory]
    [InlineData(false, ActivityTraceFlags.Recorded, SamplingDecision.RecordAndSample)]
    [InlineData(false, ActivityTraceFlags.None, SamplingDecision.Drop)]
    [InlineData(true, ActivityTraceFlags.Recorded, SamplingDecision.Drop)]
    public void Sampler_RatioThatAsksNoParent_StillKeepsATraceOfThisSiloWhole(bool isRemote, ActivityTraceFlags flags, SamplingDecision expected)
    {
        ActivityContext parent = new(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), flags, null, isRemote);

        var sampler = Read("OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0").CreateSampler();
        Assert.Equal(expected, sampler.ShouldSample(new(parent, parent.TraceId, "write storage", ActivityKind.Client)).Decision);
    }

    private static TelemetrySettings Read(string variables) => Read(
        variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static variable => variable.Split('=', 2)).ToDictionary(static pair => pair[0], static pair => (string?)pair[1]));

    private static TelemetrySettings Read(Dictionary<string, string?> variables)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(variables).Build();
        SettingReader read = new(configuration);
        var settings = TelemetrySettings.Read(read, configuration);
        read.ThrowIfProblems();
        return settings;
    }
}
