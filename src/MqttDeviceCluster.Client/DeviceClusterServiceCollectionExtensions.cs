using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds <see cref="IDeviceCluster"/> to a service that has an Orleans client, or to a silo.</summary>
public static class DeviceClusterServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="IDeviceCluster"/>. The container needs an <see cref="IGrainFactory"/> or an <see cref="IClusterClient"/>, which an
    /// Orleans client or silo registers; nothing else. Adding it again changes nothing.
    /// </summary>
    /// <param name="services">The services.</param>
    public static IServiceCollection AddDeviceCluster(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<IDeviceCluster>(static provider => new DeviceCluster(
            provider.GetService<IGrainFactory>() ?? provider.GetRequiredService<IClusterClient>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetService<ILogger<DeviceCluster>>() ?? NullLogger<DeviceCluster>.Instance));
        return services;
    }
}
