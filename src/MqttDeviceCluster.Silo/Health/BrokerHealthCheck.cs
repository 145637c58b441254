using Microsoft.Extensions.Diagnostics.HealthChecks;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>Degraded while a connection to the broker is not what it should be.</summary>
internal sealed class BrokerHealthCheck([FromKeyedServices(DeviceStreams.ProviderName)] IMqttStreamStatus status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Problem() is { } problem ? HealthCheckResult.Degraded(problem) : HealthCheckResult.Healthy());

    private string? Problem() => (status.Publishing, status.Receiving) switch
    {
        // No queue of the provider is on this silo: another one receives.
        (MqttConnectionState.Online, MqttConnectionState.Online or MqttConnectionState.Stopped) => null,
        (_, MqttConnectionState.Fenced) => status.Problem ?? "another silo took over the connection that receives",
        (MqttConnectionState.Online, _) => status.Problem ?? "updates are not received: the broker is away",
        _ => status.Problem ?? "the broker is away",
    };
}

/// <summary>Unhealthy until the broker was reached once; healthy ever after.</summary>
internal sealed class BrokerOnceHealthCheck([FromKeyedServices(DeviceStreams.ProviderName)] IMqttStreamStatus status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(status.WasPublishing ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy(status.Problem ?? "the broker was not reached yet"));
}
