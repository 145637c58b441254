using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>This process as a service that calls a silo of another.</summary>
internal sealed class SiloClient(IHost host) : IDisposable
{
    public IDeviceCluster Cluster => host.Services.GetRequiredService<IDeviceCluster>();

    public static async Task<SiloClient> ConnectAsync(SiloProcess silo)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client => client.UseLocalhostClustering(silo.GatewayPort));
        builder.Services.AddDeviceCluster();
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return new(host);
    }

    public void Dispose() => host.Dispose();
}
