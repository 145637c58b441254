using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Compression;
using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using OpenTelemetry.Exporter;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>What a collector does: takes OTLP with protobuf, over HTTP or gRPC, and keeps what came.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private OtlpReceiver(int port, OtlpExportProtocol protocol)
    {
        Endpoint = new Uri($"http://127.0.0.1:{port}");
        Protocol = protocol;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(
            IPAddress.Loopback, port, listen => listen.Protocols = protocol == OtlpExportProtocol.Grpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
        _app = builder.Build();
        Map("traces", "trace.v1.TraceService", ReadSpans);
        Map("metrics", "metrics.v1.MetricsService", ReadMetrics);
        Map("logs", "logs.v1.LogsService", ReadLogs);

        void Map(string signal, string service, Action<ProtoMessage> read) => _app.MapPost(
            protocol == OtlpExportProtocol.Grpc ? $"/opentelemetry.proto.collector.{service}/Export" : $"/v1/{signal}",
            context => protocol == OtlpExportProtocol.Grpc ? TakeCallAsync(context, read) : TakeAsync(context, read));
    }

    public Uri Endpoint { get; }

    public OtlpExportProtocol Protocol { get; }

    public ImmutableList<OtlpSpan> Spans { get; private set; } = [];

    public ImmutableList<OtlpMetric> Metrics { get; private set; } = [];

    public ImmutableList<OtlpLog> Logs { get; private set; } = [];

    public static async Task<OtlpReceiver> StartAsync(OtlpExportProtocol protocol = OtlpExportProtocol.HttpProtobuf)
    {
        OtlpReceiver receiver = new(FreePorts.Next(), protocol);
        await receiver._app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    /// <summary>Waits until what came is enough.</summary>
    public async Task WaitAsync(Func<OtlpReceiver, bool> enough, string what)
    {
        using CancellationTokenSource bound = new(Bound);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (enough(this))
                {
                    return;
                }

                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(bound.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException(
                    $"Waited for {what}; there were the spans {string.Join(", ", Spans.Select(span => span.Name))}, {Metrics.Count} metrics and {Logs.Count} log records.");
            }
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context, Action<ProtoMessage> read)
    {
        Assert.Equal("application/x-protobuf", context.Request.ContentType);
        var body = context.Request.Headers.ContentEncoding == "gzip" ? new GZipStream(context.Request.Body, CompressionMode.Decompress) : context.Request.Body;
        Take(await ByteString.FromStreamAsync(body, context.RequestAborted), read);
        context.Response.ContentType = "application/x-protobuf";
    }

    // A unary call: one frame each way, a flag for compression and the length before the message, and the status behind it.
    private async Task TakeCallAsync(HttpContext context, Action<ProtoMessage> read)
    {
        Assert.Equal("application/grpc", context.Request.ContentType);
        var frame = await ByteString.FromStreamAsync(context.Request.Body, context.RequestAborted);
        Assert.Equal(0, frame[0]);
        Assert.Equal(frame.Length - 5, BinaryPrimitives.ReadInt32BigEndian(frame.Span[1..]));
        Take(ByteString.CopyFrom(frame.Span[5..]), read);
        context.Response.ContentType = "application/grpc";
        await context.Response.BodyWriter.WriteAsync(new byte[5], context.RequestAborted);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private void Take(ByteString bytes, Action<ProtoMessage> read)
    {
        var message = ProtoMessage.Parse(bytes);
        TaskCompletionSource changed;
        lock (_lock)
        {
            read(message);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }

    private void ReadSpans(ProtoMessage request)
    {
        foreach (var resource in request.Messages(1))
        {
            foreach (var scope in resource.Messages(2))
            {
                Spans = Spans.AddRange(scope.Messages(2).Select(span => new OtlpSpan(
                    resource.Message(1)!.Attributes(1), scope.Message(1)!.Text(1), span.Hex(1), span.Hex(2), span.Hex(4), span.Text(5), (int)span.Number(6), span.Attributes(9))));
            }
        }
    }

    private void ReadMetrics(ProtoMessage request)
    {
        foreach (var resource in request.Messages(1))
        {
            foreach (var scope in resource.Messages(2))
            {
                foreach (var metric in scope.Messages(2))
                {
                    // Gauge, sum, histogram, exponential histogram: a point of the first two has its attributes in field 7, of a histogram in 9, of the last in 1.
                    var attributes = Points(metric, 5, 7).Concat(Points(metric, 7, 7)).Concat(Points(metric, 9, 9)).Concat(Points(metric, 10, 1));
                    var bounds = metric.Messages(9).SelectMany(static data => data.Messages(1)).FirstOrDefault()?.Doubles(7) ?? [];
                    Metrics = Metrics.Add(new(resource.Message(1)!.Attributes(1), scope.Message(1)!.Text(1), metric.Text(1), metric.Text(3), [.. attributes], bounds));
                }
            }
        }

        static IEnumerable<KeyValuePair<string, string>> Points(ProtoMessage metric, int kind, int attributes) =>
            metric.Messages(kind).SelectMany(data => data.Messages(1)).SelectMany(point => point.Attributes(attributes));
    }

    private void ReadLogs(ProtoMessage request)
    {
        foreach (var resource in request.Messages(1))
        {
            foreach (var scope in resource.Messages(2))
            {
                Logs = Logs.AddRange(scope.Messages(2).Select(record => new OtlpLog(
                    resource.Message(1)!.Attributes(1), scope.Message(1)!.Text(1), record.Text(3), record.Message(5)!.Text(1), record.Hex(9), record.Hex(10))));
            }
        }
    }
}

/// <summary>A span as it came.</summary>
internal sealed record OtlpSpan(
    IReadOnlyList<KeyValuePair<string, string>> Resource,
    string Scope,
    string TraceId,
    string SpanId,
    string ParentId,
    string Name,
    int Kind,
    IReadOnlyList<KeyValuePair<string, string>> Attributes);

/// <summary>A metric as it came, with the attributes of all its points, and the bounds of its buckets if it is a histogram.</summary>
internal sealed record OtlpMetric(
    IReadOnlyList<KeyValuePair<string, string>> Resource,
    string Scope,
    string Name,
    string Unit,
    IReadOnlyList<KeyValuePair<string, string>> Attributes,
    IReadOnlyList<double> Bounds);

/// <summary>A log record as it came.</summary>
internal sealed record OtlpLog(IReadOnlyList<KeyValuePair<string, string>> Resource, string Category, string Severity, string Body, string TraceId, string SpanId);
