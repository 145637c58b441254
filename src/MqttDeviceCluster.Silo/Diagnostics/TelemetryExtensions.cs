using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Streaming.Mqtt;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Orleans.Diagnostics;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>Exports traces, metrics and logs with OTLP, when the environment names an endpoint. When it does not, nothing of it is there.</summary>
internal static class TelemetryExtensions
{
    /// <summary>The <c>service.name</c>, unless <c>OTEL_SERVICE_NAME</c> or <c>OTEL_RESOURCE_ATTRIBUTES</c> name another.</summary>
    private const string ServiceName = "mqtt-device-cluster";

    public static void AddTelemetry(this IServiceCollection services, TelemetrySettings settings)
    {
        if (!settings.IsAnyOn)
        {
            return;
        }

        // The environment comes last: it wins.
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(static resource => resource.Clear().AddService(ServiceName, serviceVersion: SiloHost.Version).AddTelemetrySdk().AddEnvironmentVariableDetector());
        if (settings.Traces)
        {
            telemetry.WithTracing(tracing => tracing
                .SetSampler(settings.CreateSampler())
                .AddSiloInstrumentation()
                .AddAspNetCoreInstrumentation(static options => options.Filter = static context => context.Request.Path.StartsWithSegments("/fleet/pins"))
                .AddOtlpExporter(options => settings.Configure(options, OtlpSignal.Traces)));
        }

        if (settings.Metrics)
        {
            telemetry.WithMetrics(metrics => metrics
                .AddSiloInstrumentation()
                .AddRuntimeInstrumentation()
                .AddAspNetCoreInstrumentation()
                .AddOtlpExporter(options => settings.Configure(options, OtlpSignal.Metrics)));
        }

        if (settings.Logs)
        {
            telemetry.WithLogging(
                logging => logging.AddOtlpExporter(options => settings.Configure(options, OtlpSignal.Logs)),
                static options => options.IncludeFormattedMessage = true);
        }
    }

    /// <summary>Makes commands on a silo traceable. Calls to devices are, by the grains; Orleans' own filters for all calls are left to <c>Orleans:EnableDistributedTracing</c>.</summary>
    public static void AddTracing(this ISiloBuilder silo, TelemetrySettings settings)
    {
        if (settings.Traces)
        {
            silo.Services.AddSingleton<IDeviceTracer>(new DeviceTracer(settings.NeverBegins ? 0 : settings.UpdateSamplingRatio));
        }
    }

    /// <summary>Adds the sources of a silo. Not Microsoft.Orleans.Runtime: with its streams' timers it makes hundreds of traces that nobody asked for.</summary>
    public static TracerProviderBuilder AddSiloInstrumentation(this TracerProviderBuilder tracing) => tracing
        .AddDeviceClusterInstrumentation()
        .AddSource(DeviceSpans.ActivitySourceName, ActivitySources.LifecycleActivitySourceName, ActivitySources.StorageActivitySourceName, MqttStreamTracing.ActivitySourceName);

    /// <summary>Adds the meters of a silo, and of Orleans what is worth keeping.</summary>
    public static MeterProviderBuilder AddSiloInstrumentation(this MeterProviderBuilder metrics) => metrics
        .AddDeviceClusterInstrumentation()
        .AddMeter([.. SiloInstruments.Meters])
        .AddView(static instrument =>
            instrument.Meter.Name == OrleansMeter.Name && !OrleansMeter.Useful.Contains(instrument.Name) ? MetricStreamConfiguration.Drop : null);
}
