using Microsoft.Extensions.DependencyInjection.Extensions;
using MqttDeviceCluster;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers <see cref="IDeviceCluster"/>.</summary>
public static class DeviceClusterServiceCollectionExtensions
{
    /// <summary>Adds <see cref="IDeviceCluster"/> over the Orleans client of the same container.</summary>
    public static IServiceCollection AddDeviceCluster(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<IDeviceCluster, DeviceCluster>();
        return services;
    }
}
