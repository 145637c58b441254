using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>Healthy while the silo is an active member that is not about to leave.</summary>
internal sealed class SiloHealthCheck(ISiloStatusOracle oracle, DrainService drain) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult((oracle.CurrentStatus, drain.IsDraining) switch
        {
            (_, true) => HealthCheckResult.Unhealthy("the silo is stopping"),
            (SiloStatus.Active, _) => HealthCheckResult.Healthy(),
            var (status, _) => HealthCheckResult.Unhealthy($"the silo is {status}"),
        });
}
