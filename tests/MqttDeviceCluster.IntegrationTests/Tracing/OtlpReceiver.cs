using System.Collections.Immutable;
using System.IO.Compression;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>What a collector does: takes OTLP over HTTP with protobuf, and keeps what came.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private OtlpReceiver(int port)
    {
        Endpoint = new Uri($"http://127.0.0.1:{port}");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Endpoint.OriginalString);
        _app = builder.Build();
        _app.MapPost("/v1/traces", context => TakeAsync(context, ReadSpans));
        _app.MapPost("/v1/metrics", context => TakeAsync(context, ReadMetrics));
        _app.MapPost("/v1/logs", context => TakeAsync(context, ReadLogs));
    }

    public Uri Endpoint { get; }

    public ImmutableList<OtlpSpan> Spans { get; private set; } = [];

    public ImmutableList<OtlpMetric> Metrics { get; private set; } = [];

    public ImmutableList<OtlpLog> Logs { get; private set; } = [];

    public static async Task<OtlpReceiver> StartAsync()
    {
        OtlpReceiver receiver = new(FreePorts.Next());
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
        var message = ProtoMessage.Parse(await ByteString.FromStreamAsync(body, context.RequestAborted));
        TaskCompletionSource changed;
        lock (_lock)
        {
            read(message);
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
        context.Response.ContentType = "application/x-protobuf";
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
                    Metrics = Metrics.Add(new(resource.Message(1)!.Attributes(1), scope.Message(1)!.Text(1), metric.Text(1), metric.Text(3), [.. attributes]));
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
                    resource.Message(1)!.Attributes(1), scope.Message(1)!.Text(1), record.Text(3), record.Message(5)!.Text(1), record.Hex(9))));
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

/// <summary>A metric as it came, with the attributes of all its points.</summary>
internal sealed record OtlpMetric(
    IReadOnlyList<KeyValuePair<string, string>> Resource, string Scope, string Name, string Unit, IReadOnlyList<KeyValuePair<string, string>> Attributes);

/// <summary>A log record as it came.</summary>
internal sealed record OtlpLog(IReadOnlyList<KeyValuePair<string, string>> Resource, string Category, string Severity, string Body, string TraceId);
