using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Streaming.Mqtt;
using OpenTelemetry.Exporter;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>What a silo process sends to a collector, and that it sends nothing when nobody asked for it.</summary>
public sealed class OtlpExportTests
{
    private const string Device = "020000000001";

    /// <summary>The other useful ones appear when something goes wrong.</summary>
    private static readonly HashSet<string> OrleansThatAnySiloHas =
    [
        "orleans-app-requests-latency",
        "orleans-catalog-activation-created",
        "orleans-catalog-activations",
        "orleans-gateway-connected-clients",
        "orleans-storage-read-latency",
        "orleans-storage-write-latency",
    ];

    /// <summary>gRPC is what the variables mean when they name no protocol: that of all signals is not there, or empty, which is the same by the specification.</summary>
    [Theory]
    [InlineData(OtlpExportProtocol.HttpProtobuf, "http/protobuf")]
    [InlineData(OtlpExportProtocol.Grpc, "")]
    [InlineData(OtlpExportProtocol.Grpc, null)]
    public async Task Silo_WithAnEndpoint_ExportsTracesMetricsAndLogs(OtlpExportProtocol protocol, string? name)
    {
        await using var receiver = await OtlpReceiver.StartAsync(protocol);
        await using var silo = await SiloProcess.StartAsync(new()
        {
            Arguments = ["--Simulate=3"],
            Launcher = name is null ? ["env", "-u", "OTEL_EXPORTER_OTLP_PROTOCOL"] : [],
            Environment = new Dictionary<string, string>
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.Endpoint.OriginalString,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = name ?? "",
                ["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test",
                ["OTEL_SERVICE_NAME"] = "devices-under-test",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
            },
        });
        ActivityTraceId trace;
        using (var client = await ConnectAsync(silo, receiver))
        {
            using var caller = new Activity("caller") { ActivityTraceFlags = ActivityTraceFlags.Recorded }.SetIdFormat(ActivityIdFormat.W3C).Start();
            trace = caller.TraceId;
            await client.Services.GetRequiredService<IDeviceCluster>().SetPinsAsync(
                Device, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(30) }, TestContext.Current.CancellationToken);
            await client.StopAsync(TestContext.Current.CancellationToken);
        }

        // Both processes have sent theirs.
        const string Process = "process device/{id}/pin/update";
        await receiver.WaitAsync(_ => Trace().Any(span => span.Name == Process) && Trace().Any(span => span.Kind == 3), "the whole trace");
        var call = Assert.Single(Trace(), span => (span.Name, span.Kind) == ("IDeviceGrain/SetPinsAsync", 3));
        var served = Assert.Single(Trace(), span => (span.Name, span.Kind) == ("IDeviceGrain/SetPinsAsync", 2));
        var publish = Assert.Single(Trace(), span => (span.Name, span.Kind) == ("publish device/{id}/pin/set", 4));
        var process = Assert.Single(Trace(), span => (span.Name, span.Kind) == (Process, 5));
        Assert.Equal((call.SpanId, served.SpanId, publish.SpanId), (served.ParentId, publish.ParentId, process.ParentId));
        Assert.Equal(MqttStreamTracing.ActivitySourceName, publish.Scope);
        Assert.Contains(new(DeviceSpans.EvidenceTag, "observed"), process.Attributes);
        Assert.Contains(new("service.name", "devices-under-test"), served.Resource);
        Assert.Contains(new("deployment.environment.name", "test"), served.Resource);
        Assert.Contains(served.Resource, attribute => attribute.Key == "service.version");
        Assert.Contains(served.Resource, attribute => attribute.Key == "service.instance.id");

        // Metrics are due once a minute: these come because the silo stops.
        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());
        Assert.Contains(receiver.Logs, log => log.Body == "Stopped." && log.Severity == "Information" && log.Category == "MqttDeviceCluster.Silo");
        Assert.All(receiver.Logs, log => Assert.Contains(new("service.name", "devices-under-test"), log.Resource));
        Assert.Contains(receiver.Metrics, metric => metric.Scope == MqttStreamMetrics.MeterName && metric.Name == MqttStreamMetrics.Published && metric.Unit == "{message}");
        Assert.Contains(receiver.Metrics, metric => metric.Scope == DeviceInstruments.MeterName && metric.Name == DeviceInstruments.Commands);
        Assert.Contains(receiver.Metrics, metric => metric.Scope == "MqttDeviceCluster.Storage");
        var orleans = receiver.Metrics.Where(metric => metric.Scope == OrleansMeter.Name).Select(metric => metric.Name).ToHashSet();
        Assert.Subset(OrleansMeter.Useful.ToHashSet(), orleans);
        Assert.Superset(OrleansThatAnySiloHas, orleans);
        Assert.Equal(
            [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
            receiver.Metrics.First(metric => metric.Name == DeviceInstruments.CommandDuration).Bounds);
        Assert.Contains(receiver.Metrics, metric => metric.Scope == "System.Runtime");
        var attributes = receiver.Metrics.Where(metric => metric.Scope.StartsWith("MqttDeviceCluster", StringComparison.Ordinal)).SelectMany(metric => metric.Attributes).ToList();
        Assert.NotEmpty(attributes);
        Assert.All(receiver.Metrics.SelectMany(metric => metric.Attributes), attribute =>
        {
            Assert.DoesNotContain("0200000000", attribute.Value, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("device/", attribute.Value, StringComparison.Ordinal);
            Assert.DoesNotContain("\"pin\"", attribute.Value, StringComparison.Ordinal);
        });
        Assert.Equal("", silo.Error);

        IEnumerable<OtlpSpan> Trace() => receiver.Spans.Where(span => span.TraceId == trace.ToString());
    }

    /// <summary>What a silo logs of a command, and of the update that confirms it, is found from its trace.</summary>
    [Fact]
    public async Task Logs_OfACommand_BelongToItsSpans()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var silo = await SiloProcess.StartAsync(new()
        {
            Arguments = ["--Simulate=1", "--Logging:LogLevel:MqttDeviceCluster=Debug"],
            Environment = new Dictionary<string, string>
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.Endpoint.OriginalString,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_METRICS_EXPORTER"] = "none",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
                ["OTEL_BLRP_SCHEDULE_DELAY"] = "100",
            },
        });
        await silo.WaitForOutputAsync("Simulating 1 device");

        // The device is in memory after this: with a store that fails it could not be read.
        await SetPinAsync("low");

        // With a store that fails, something is logged for the update as well: a command that goes well is one line.
        RunInStore(silo, "ALTER TABLE grain_state RENAME TO hidden");
        await SetPinAsync("high");
        await receiver.WaitAsync(_ => Find(DeviceSpans.ErrorTag, DeviceSpans.NotStored) is { } update && LogsOf(update).Any(), "a log record of the update that was not stored");
        RunInStore(silo, "ALTER TABLE hidden RENAME TO grain_state");

        var update = Find(DeviceSpans.ErrorTag, DeviceSpans.NotStored)!;
        Assert.All(LogsOf(update), log => Assert.Equal(("Debug", "MqttDeviceCluster.DeviceGrain"), (log.Severity, log.Category)));
        await receiver.WaitAsync(_ => Request() is { } request && LogsOf(request).Any(), "the request's span and its log record");
        var request = Request()!;
        var line = Assert.Single(LogsOf(request));
        Assert.Equal(("Information", "MqttDeviceCluster.Silo.FleetPage.SetPinEndpoint"), (line.Severity, line.Category));
        Assert.Contains(Device, line.Body, StringComparison.Ordinal);

        async Task SetPinAsync(string state)
        {
            using var answer = await silo.Http.PostAsJsonAsync(
                new Uri("/fleet/pins", UriKind.Relative), new { device = Device, pin = 13, state }, TestContext.Current.CancellationToken);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }

        OtlpSpan? Request() => receiver.Spans.FirstOrDefault(span => span.TraceId == update.TraceId && span.Attributes.Contains(new("http.route", "/fleet/pins")));
        OtlpSpan? Find(string attribute, string value) => receiver.Spans.FirstOrDefault(span => span.Attributes.Contains(new(attribute, value)));
        IEnumerable<OtlpLog> LogsOf(OtlpSpan span) => receiver.Logs.Where(log => log.TraceId == span.TraceId && log.SpanId == span.SpanId);
    }

    [Fact]
    public async Task Silo_WithoutAnEndpoint_ExportsAndLogsNothing()
    {
        using var collector = Listen(4317);
        using var other = Listen(4318);
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--Simulate=1"] });
        await silo.WaitForOutputAsync("Simulating 1 device");
        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());

        Assert.False(collector.Pending());
        Assert.False(other.Pending());
        AssertSilent(silo);
    }

    [Fact]
    public async Task Silo_CollectorIsAway_GoesOnAndSaysNothing()
    {
        var port = FreePorts.Next();
        await using var silo = await SiloProcess.StartAsync(new()
        {
            Arguments = ["--Simulate=1"],
            Environment = new Dictionary<string, string>
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{port}",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "50",
                ["OTEL_BLRP_SCHEDULE_DELAY"] = "50",
                ["OTEL_METRIC_EXPORT_INTERVAL"] = "50",
            },
        });
        await silo.WaitForOutputAsync("Simulating 1 device");
        silo.Terminate();
        Assert.Equal(0, await silo.WaitForExitAsync());

        AssertSilent(silo, port);
    }

    [Fact]
    public async Task Silo_CollectorTakesConnectionsAndNeverAnswers_HoldsUpTheEndForAFewSecondsOnly()
    {
        // The kernel takes the connections; nobody reads from them.
        using TcpListener collector = new(IPAddress.Loopback, 0);
        collector.Start();
        await using var silo = await SiloProcess.StartAsync(new()
        {
            Arguments = ["--Simulate=1"],
            Environment = new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{collector.LocalEndpoint}" },
        });
        await silo.WaitForOutputAsync("Simulating 1 device");
        silo.Terminate();
        await silo.WaitForOutputAsync("Stopped.");
        var stopped = Stopwatch.GetTimestamp();

        Assert.Equal(0, await silo.WaitForExitAsync());

        // One after the other the three signals took 15 s; the whole stop may not take longer than what kills the process waits.
        Assert.InRange(Stopwatch.GetElapsedTime(stopped), TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.True(collector.Pending());
        AssertSilent(silo, ((IPEndPoint)collector.LocalEndpoint).Port);
    }

    [Fact]
    public async Task Silo_EndpointIsNoUrl_StopsWithOneSentence()
    {
        await using var silo = SiloProcess.Launch(new() { Environment = new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "collector:4317" } });

        Assert.Equal(1, await silo.WaitForExitAsync());
        Assert.Equal("error: OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://collector.example:4317 or :4318.", silo.Error.TrimEnd());
    }

    private static void AssertSilent(SiloProcess silo, int? port = null)
    {
        // Nothing at all would be asked too much: on a machine that is busy Orleans warns of that.
        var start = $"Telemetry: traces, metrics, logs to http://127.0.0.1:{port}/ (grpc)";
        Assert.Equal(port is null ? 0 : 1, silo.Output.Split(start).Length - 1);
        var output = silo.Output.Replace(start, "", StringComparison.Ordinal);
        foreach (var word in (string[])["otlp", "telemetry", "export", "collector", .. port is null ? [] : new[] { $":{port}" }])
        {
            Assert.DoesNotContain(word, output, StringComparison.OrdinalIgnoreCase);
        }

        Assert.Equal("", silo.Error);
    }

    private static void RunInStore(SiloProcess silo, string statement) => SqliteFile.Execute(Path.Combine(silo.DataDirectory, "devices.db"), statement);

    /// <summary>Listens where an exporter that nobody told where to export to would look.</summary>
    private static TcpListener Listen(int port)
    {
        TcpListener listener = new(IPAddress.Loopback, port);
        listener.Start();
        return listener;
    }

    private static async Task<IHost> ConnectAsync(SiloProcess silo, OtlpReceiver receiver)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client => client.UseLocalhostClustering(silo.GatewayPort).AddActivityPropagation());
        builder.Services.AddDeviceCluster();
        builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing.AddDeviceClusterInstrumentation().AddOtlpExporter(options =>
            (options.Protocol, options.Endpoint) =
                (receiver.Protocol, receiver.Protocol == OtlpExportProtocol.Grpc ? receiver.Endpoint : new Uri(receiver.Endpoint, "/v1/traces"))));
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }
}
