using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>Two silo processes, and one of them, the one that holds the connection, is killed under load.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Devices = 50;
    private const int Pins = 200;

    [Fact]
    public async Task Holder_KilledUnderLoad_NoUpdateIsLost()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var tap = MqttTap.Start(broker.Port);
        var primaryPort = FreePorts.Next();
        string[] clustering =
        [
            "--Orleans:Clustering:ProviderType=Development",
            $"--Orleans:Clustering:PrimarySiloEndPoint=127.0.0.1:{primaryPort}",
            "--Orleans:Endpoints:AdvertisedIPAddress=127.0.0.1",

            // One file for both: allowed when it is asked for by name.
            "--Orleans:GrainStorage:Default:ProviderType=Sqlite",
            $"--Orleans:GrainStorage:Default:DataSource={Path.Combine(broker.DirectoryPath, "data", "devices.db")}",
            "--Dashboard:Enabled=false",
        ];
        SiloProcessOptions options = new() { Broker = tap.ConnectionString, Arguments = clustering };
        await using var survivor = await SiloProcess.StartAsync(options with { SiloPort = primaryPort });
        await using var victim = await StartHolderAsync(options);
        await using TestPublisher publisher = new(broker);

        // Each update sets a pin of its own, so that a lost one shows in the end, whatever came after it. 500 a second, 20 s in all.
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(10));
        List<Task> published = [];
        var (last, lastCount, gap) = (Stopwatch.GetTimestamp(), 0, TimeSpan.Zero);
        for (var i = 0; i < Devices * Pins; i++)
        {
            published.Add(publisher.PublishAsync($"device/d{i % Devices}/pin/update", $$"""[{"pin":{{i / Devices}},"mode":3,"state":1}]"""));
            if (i == Devices * Pins / 4)
            {
                await victim.KillAsync();
            }

            if (i % 5 == 4)
            {
                Note();
                await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
            }
        }

        await Task.WhenAll(published);
        var bound = Stopwatch.StartNew();
        while (tap.Acknowledged < Devices * Pins && bound.Elapsed < TimeSpan.FromMinutes(1))
        {
            Note();
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }

        using var client = await ConnectAsync(survivor.GatewayPort);
        var cluster = client.Services.GetRequiredService<IDeviceCluster>();
        var missing = await MissingAsync(cluster);
        for (; missing > 0 && bound.Elapsed < TimeSpan.FromMinutes(1.5); missing = await MissingAsync(cluster))
        {
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }

        output.WriteLine(
            $"{Devices * Pins} published, {missing} missing, {tap.Acknowledged - (Devices * Pins)} acknowledged twice, longest time without PUBACK {gap.TotalMilliseconds:0} ms");
        Assert.Equal(0, missing);
        await client.StopAsync(TestContext.Current.CancellationToken);

        void Note()
        {
            if (tap.Acknowledged is var count && count != lastCount)
            {
                var now = Stopwatch.GetTimestamp();
                var elapsed = lastCount == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(last, now);
                (last, lastCount, gap) = (now, count, elapsed > gap ? elapsed : gap);
            }
        }
    }

    // Where in the ring a silo stands is chance: it is started again until it is the one that takes the connection over.
    private static async Task<SiloProcess> StartHolderAsync(SiloProcessOptions options)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var silo = await SiloProcess.StartAsync(options);
            for (var i = 0; i < 50; i++)
            {
                if (silo.Output.Contains("The MQTT connection (receive)", StringComparison.Ordinal))
                {
                    return silo;
                }

                // Another process cannot be awaited here: it is asked again.
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }

            silo.Terminate();
            await silo.WaitForExitAsync();
            await silo.DisposeAsync();
        }

        throw new InvalidOperationException("No silo took the connection over.");
    }

    private static async Task<IHost> ConnectAsync(int gatewayPort)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(client => client.UseLocalhostClustering(gatewayPort));
        builder.Services.AddDeviceCluster();
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    private static async Task<int> MissingAsync(IDeviceCluster cluster)
    {
        var snapshots = await Task.WhenAll(Enumerable.Range(0, Devices).Select(i => cluster.GetSnapshotAsync($"d{i}")));
        return (Devices * Pins) - snapshots.Sum(snapshot => snapshot.Pins.Length);
    }
}
