using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>Takes OTLP over HTTP, counts it and throws it away.</summary>
internal sealed class TelemetrySink : IAsyncDisposable
{
    private readonly WebApplication _app;
    private long _requests;
    private long _bytes;

    private TelemetrySink()
    {
        Url = new Uri($"http://127.0.0.1:{FreePort.Find(1)[0]}");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Url.OriginalString);
        _app = builder.Build();
        _app.MapPost("/v1/{signal}", TakeAsync);
    }

    public Uri Url { get; }

    public long Requests => Volatile.Read(ref _requests);

    public long Bytes => Volatile.Read(ref _bytes);

    public static async Task<TelemetrySink> StartAsync()
    {
        TelemetrySink sink = new();
        await sink._app.StartAsync();
        return sink;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        while (await context.Request.BodyReader.ReadAsync(context.RequestAborted) is var read)
        {
            Interlocked.Add(ref _bytes, read.Buffer.Length);
            context.Request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                break;
            }
        }

        Interlocked.Increment(ref _requests);
        context.Response.ContentType = "application/x-protobuf";
    }
}
