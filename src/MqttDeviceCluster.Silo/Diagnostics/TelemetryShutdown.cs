using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>Sends what is left at the end of the process: all signals at once and for a bounded time. Disposed, each provider would wait for a collector that hangs, one after the other.</summary>
internal static class TelemetryShutdown
{
    /// <summary>How long the end may wait for a collector. With <see cref="SiloComposition.ShutdownTimeout"/> it must stay below the grace of whatever kills the process.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    public static async Task RunAsync(IServiceProvider services)
    {
        var milliseconds = (int)Timeout.TotalMilliseconds;
        var providers = new Func<bool>?[]
        {
            services.GetService<TracerProvider>() is { } traces ? () => traces.Shutdown(milliseconds) : null,
            services.GetService<MeterProvider>() is { } metrics ? () => metrics.Shutdown(milliseconds) : null,
            services.GetService<LoggerProvider>() is { } logs ? () => logs.Shutdown(milliseconds) : null,
        };

        // Each of them blocks its thread. Whatever it could not send is lost, as with any collector that is away.
        await Task.WhenAll(providers.OfType<Func<bool>>().Select(static shutDown => Task.Run(shutDown)));
    }
}
