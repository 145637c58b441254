using Microsoft.Extensions.Diagnostics.HealthChecks;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Storage;

namespace MqttDeviceCluster.Silo.Health;

/// <summary>Degraded while writes to the store fail. A store that does not say how it is counts as healthy.</summary>
internal sealed class StoreHealthCheck(IServiceProvider services) : IHealthCheck
{
    private readonly IGrainStorageStatus? _status = services.GetKeyedService<IGrainStorageStatus>(SiloSettings.StorageName);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_status is { IsFailing: true }
            ? HealthCheckResult.Degraded(_status.Problem ?? "writes to the store fail")
            : HealthCheckResult.Healthy());
}
