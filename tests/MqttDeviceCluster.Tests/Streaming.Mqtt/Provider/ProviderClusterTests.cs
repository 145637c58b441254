using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.TestingHost;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

/// <summary>The provider where silos come and go.</summary>
public sealed class ProviderClusterTests
{
    private readonly string _key = Guid.NewGuid().ToString("N");

    [Fact]
    public async Task Message_GrainOnAnotherSilo_IsDeliveredAndAcknowledged()
    {
        var fixture = new TwoSilos();
        await fixture.InitializeAsync();
        await using var _ = fixture;
        var session = await fixture.Broker.SessionAsync();
        List<FakeDelivery> deliveries = [];
        HashSet<string> silos = [];

        // Placement is the cluster's choice: keys are tried until both silos host some, so that batches cross the wire.
        for (var i = 0; i < 200 && silos.Count < 2; i++)
        {
            var key = $"{_key}-{i}";
            for (var j = 0; j < 5; j++)
            {
                deliveries.Add(session.Deliver($"sensor/{key}/reading", $"{j}"));
            }

            silos.Add(await fixture.Cluster.Client.GetGrain<IReadingGrain>(key).WhereAsync());
        }

        foreach (var delivery in deliveries)
        {
            await delivery.CompletionAsync();
        }

        Assert.Equal(2, silos.Count);
        Assert.Equal(["0", "1", "2", "3", "4"], ReadingGrains.Of($"{_key}-0").Received);
    }

    [Fact]
    public async Task StopSilo_MessageInDelivery_IsFinishedAndAcknowledgedFirst()
    {
        var fixture = new ProviderFixture();
        await fixture.InitializeAsync();
        await using var _ = fixture;
        var session = await fixture.Broker.SessionAsync();
        var begun = new TaskCompletionSource();
        var mayEnd = new TaskCompletionSource();
        ReadingGrains.Of(_key).OnReading = _ =>
        {
            begun.TrySetResult();
            return mayEnd.Task;
        };
        var delivery = session.Deliver($"sensor/{_key}/reading", "1");
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        var stop = fixture.Cluster.StopAllSilosAsync(TestContext.Current.CancellationToken);
        Assert.False(delivery.IsComplete);
        mayEnd.SetResult();
        await stop.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        Assert.True(delivery.IsComplete);
        Assert.Equal(MqttConnectionState.Stopped, session.State);
    }

    [Fact]
    public async Task StopSilo_ThatHoldsTheConnection_AnotherTakesItOverWithAllQueues()
    {
        var fixture = new TwoSilos();
        await fixture.InitializeAsync();
        await using var _ = fixture;
        var before = await fixture.Broker.SessionAsync();
        var holder = fixture.Cluster.Silos.Single(silo => fixture.Status(silo).Receiving == MqttConnectionState.Online);

        await fixture.Cluster.StopSiloAsync(holder, TestContext.Current.CancellationToken);
        var after = await fixture.Broker.WaitForAsync(
            () => fixture.Broker.Online() is { } session && session != before ? session : null, "the other silo's session");
        var deliveries = Enumerable.Range(0, 50).Select(i => after.Deliver($"sensor/{_key}-{i}/reading", "x")).ToList();

        foreach (var delivery in deliveries)
        {
            await delivery.CompletionAsync();
        }

        Assert.Equal(MqttConnectionState.Stopped, before.State);
        Assert.Equal(before.Connection, after.Connection);
    }

    [Fact]
    public async Task Configuration_AloneWithNamedCodecs_ReceivesAndPublishes()
    {
        var broker = new FakeBroker();
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSiloHost((_, host) => host.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:broker"] = "mqtt://nowhere",
            ["Orleans:Streaming:strangers:ProviderType"] = "Mqtt",
            ["Orleans:Streaming:strangers:ConnectionName"] = "broker",
            ["Orleans:Streaming:strangers:QueuesPerConnection"] = "2",
            ["Orleans:Streaming:strangers:MaxDeliveryTime"] = "00:00:03",
            ["Orleans:Streaming:strangers:Routes:0:Topic"] = "sensor/{key}/reading",
            ["Orleans:Streaming:strangers:Routes:0:Namespace"] = ReadingGrain.Namespace,
            ["Orleans:Streaming:strangers:Routes:0:Codec"] = "reading",
            ["Orleans:Streaming:strangers:Routes:1:Direction"] = "ToTopic",
            ["Orleans:Streaming:strangers:Routes:1:Topic"] = "sensor/{key}/do",
            ["Orleans:Streaming:strangers:Routes:1:Namespace"] = ReadingGrain.OutNamespace,
            ["Orleans:Streaming:strangers:Routes:1:Codec"] = "reading",
        }));
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddKeyedSingleton<IMqttConnectionFactory>(ReadingGrain.Provider, broker);
            silo.Services.AddMqttCodec("reading", MqttCodec.Create(new ProviderFixture.ReadingCodec(), new ProviderFixture.ReadingCodec()));
        });
        await using var cluster = builder.Build();
        await cluster.DeployAsync(TestContext.Current.CancellationToken);

        var session = await broker.SessionAsync();
        await session.Deliver($"sensor/{_key}/reading", "1").CompletionAsync();
        await cluster.Client.GetGrain<IReadingGrain>(_key).PublishAsync("hello");

        Assert.Equal(["1"], ReadingGrains.Of(_key).Received);
        Assert.Contains(broker.Published, published => published.Topic == $"sensor/{_key}/do");
        Assert.Equal([new MqttFilter("sensor/+/reading", MqttQualityOfService.AtLeastOnce)], session.Subscriptions);
    }

    private sealed class TwoSilos : ProviderFixture
    {
        protected override short Silos => 2;

        public IMqttStreamStatus Status(InProcessSiloHandle silo) =>
            Cluster.GetSiloServiceProvider(silo.SiloAddress).GetRequiredKeyedService<IMqttStreamStatus>(ReadingGrain.Provider);
    }
}
