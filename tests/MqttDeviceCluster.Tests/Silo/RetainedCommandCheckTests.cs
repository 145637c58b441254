using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Configuration;

namespace MqttDeviceCluster.Tests.Silo;

public sealed class RetainedCommandCheckTests
{
    [Fact]
    public async Task Dispose_WhileItLooks_EndsQuietly()
    {
        using TcpListener broker = new(IPAddress.Loopback, 0);
        broker.Start();
        await using var services = new ServiceCollection()
            .ConfigureAll<MqttStreamOptions>(options => options.ConnectionString = $"mqtt://{broker.LocalEndpoint}")
            .BuildServiceProvider();
        using RetainedCommandCheck check = new(
            services.GetRequiredService<IOptionsMonitor<MqttStreamOptions>>(),
            Options.Create(new ClusterOptions()),
            TimeProvider.System,
            NullLogger<RetainedCommandCheck>.Instance);
        await check.StartAsync(TestContext.Current.CancellationToken);
        using var connection = await broker.AcceptTcpClientAsync(TestContext.Current.CancellationToken);

        // As a host does whose start has failed: it disposes of its services, and has asked none of them to stop.
        check.Dispose();

        await check.ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }
}
