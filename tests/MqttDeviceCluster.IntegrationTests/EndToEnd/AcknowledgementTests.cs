using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using Orleans.Storage;
using Orleans.TestingHost;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>When the broker is told that an update is done with: real broker, provider, device grains and storage.</summary>
public sealed class AcknowledgementTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Updates_StorageIsHeldBack_AreAcknowledgedInOrderAndOnlyWhenPersisted()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        await using var tap = MqttTap.Start(broker.Port);
        HeldStorage.Control storage = new();
        ConcurrentQueue<string> early = new();
        await using var cluster = Build(tap.ConnectionString, Path.Combine(broker.DirectoryPath, "devices.db"), storage);
        await cluster.DeployAsync(Cancelled);
        await using TestPublisher devices = new(broker);
        await WaitUntilOnlineAsync(cluster);
        tap.OnAcknowledged = _ =>
        {
            // One PUBACK after the other, and this one is the next: what it acknowledges must be in the real storage by now.
            var expected = ((string[])["A", "B", "C"])[tap.AcknowledgedTopics.Count];
            if (!storage.Persisted.ContainsKey(expected))
            {
                early.Enqueue(expected);
            }
        };

        foreach (var device in (string[])["A", "B", "C"])
        {
            await devices.PublishAsync($"device/{device}/pin/update", """[{"pin":13,"mode":3,"state":1}]""");
        }

        // All three are applied, and wait for the storage. The last is persisted first.
        await storage.ArrivalAsync("A");
        await storage.ArrivalAsync("B");
        await storage.ArrivalAsync("C");
        storage.Release("C");
        while (!storage.Persisted.ContainsKey("C"))
        {
            await Task.Yield();
        }

        // Nothing tells that a PUBACK is not sent: it gets a hundred times the time that it usually takes.
        await Task.Delay(200, Cancelled);
        Assert.Empty(tap.AcknowledgedTopics);

        storage.Release("A");
        await tap.WaitAsync(delivered: 3, acknowledged: 1);
        await Task.Delay(200, Cancelled);
        Assert.Equal(["device/A/pin/update"], tap.AcknowledgedTopics);

        storage.Release("B");
        await tap.WaitAsync(delivered: 3, acknowledged: 3);
        Assert.Equal(["device/A/pin/update", "device/B/pin/update", "device/C/pin/update"], tap.AcknowledgedTopics);
        Assert.Empty(early);
    }

    private static InProcessTestCluster Build(string broker, string file, HeldStorage.Control control)
    {
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddSqliteGrainStorage("real", options => options.DataSource = file);
            silo.Services.AddSingleton<IGrainStorage>(
                services => new HeldStorage(services.GetRequiredKeyedService<IGrainStorage>("real"), control));
            silo.AddMqttStreams(DeviceStreams.ProviderName, options =>
            {
                options.ConnectionString = broker;

                // The test holds the storage for a while, and nothing may be given up for it.
                options.MaxDeliveryTime = TimeSpan.FromMinutes(5);
                foreach (var route in DeviceRoutes.Create())
                {
                    options.Routes.Add(route);
                }
            });
            silo.AddDeviceGrains();
        });
        return builder.Build();
    }

    private static async Task WaitUntilOnlineAsync(InProcessTestCluster cluster)
    {
        var status = cluster.GetSiloServiceProvider().GetRequiredKeyedService<IMqttStreamStatus>(DeviceStreams.ProviderName);
        using CancellationTokenSource bound = new(TimeSpan.FromSeconds(30));
        while (status.Receiving != MqttConnectionState.Online)
        {
            // The status is asked, as a health check does.
            await Task.Delay(20, bound.Token);
        }
    }
}
