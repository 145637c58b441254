using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>
/// Writes <c>{"status":"degraded","checks":{"broker":{"status":"degraded","problem":"…"},…}}</c>. The status is <c>healthy</c>, <c>degraded</c> (200 as
/// well) or <c>unhealthy</c> (503). The problems may name the store's path and the broker's host: they are for operators only.
/// </summary>
internal static class HealthResponse
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static async Task WriteAsync(HttpContext context, HealthReport report, bool withProblems)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartObject();
            writer.WriteString("status", Name(report.Status));
            writer.WriteStartObject("checks");
            foreach (var (name, entry) in report.Entries)
            {
                writer.WriteStartObject(name);
                writer.WriteString("status", Name(entry.Status));
                if (withProblems && entry.Status != HealthStatus.Healthy)
                {
                    writer.WriteString("problem", entry.Description ?? entry.Exception?.Message);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        await context.Response.BodyWriter.WriteAsync(buffer.WrittenMemory, context.RequestAborted);
    }

    private static string Name(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}
