using Orleans.Diagnostics;

namespace OpenTelemetry.Trace;

/// <summary>Lets a service that calls devices join their traces.</summary>
public static class DeviceClusterTracerProviderBuilderExtensions
{
    /// <summary>Adds the spans of calls to devices: one for each grain call, such as <c>IDeviceGrain/SetPinsAsync</c>.</summary>
    /// <param name="builder">The service's tracing.</param>
    /// <remarks>
    /// The Orleans client must carry the context as well: <c>UseOrleansClient(client =&gt; client.AddActivityPropagation())</c>. Then a call, the command that the silo publishes for it
    /// and the device's answer are one trace, which begins wherever the service's own trace does.
    /// </remarks>
    public static TracerProviderBuilder AddDeviceClusterInstrumentation(this TracerProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddSource(ActivitySources.ApplicationGrainActivitySourceName);
    }
}
