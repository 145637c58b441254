namespace OpenTelemetry.Metrics;

/// <summary>Adds what a service that calls devices can measure.</summary>
public static class DeviceClusterMeterProviderBuilderExtensions
{
    private const string OrleansMeterName = "Microsoft.Orleans";

    /// <summary>Adds the metrics of the service's Orleans client, such as <c>orleans-app-requests-latency</c>. What the cluster of devices measures, its silos export themselves.</summary>
    /// <param name="builder">The service's metrics.</param>
    public static MeterProviderBuilder AddDeviceClusterInstrumentation(this MeterProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddMeter(OrleansMeterName);
    }
}
