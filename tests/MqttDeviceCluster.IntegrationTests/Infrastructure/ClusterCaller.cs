using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>A service that calls the devices of a cluster.</summary>
internal static class ClusterCaller
{
    /// <summary>Starts one that knows the gateways of silos, whose cluster and service have one id. It logs nothing.</summary>
    public static async Task<IHost> ConnectAsync(string cluster, params SiloProcess[] silos)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client => client
            .UseStaticClustering([.. silos.Select(static silo => new IPEndPoint(IPAddress.Loopback, silo.GatewayPort))])
            .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (cluster, cluster)));
        builder.Services.AddDeviceCluster();
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }
}
