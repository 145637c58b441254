using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streams;
using Orleans.Streams;
using Orleans.TestingHost;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>Two silos with device grains, fake devices and a fake storage, and a client outside of them.</summary>
public sealed class DeviceClusterFixture : IAsyncLifetime
{
    public FakeMqtt Mqtt { get; } = new();

    public FakeStorage Storage { get; } = new();

    public CallLog Calls { get; } = new();

    public InProcessTestCluster Cluster { get; private set; } = null!;

    public IDeviceCluster Devices { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Cluster = Build(2, Mqtt, Storage, memoryStorage: false, calls: Calls);
        await Cluster.DeployAsync();
        Devices = Cluster.Client.ServiceProvider.GetRequiredService<IDeviceCluster>();
    }

    public async ValueTask DisposeAsync() => await Cluster.DisposeAsync();

    /// <summary>Lets the device send an update, through a stream. It is applied some time later.</summary>
    public Task SendAsync(string deviceId, DeviceUpdate update) => SendAsync(Cluster, deviceId, update);

    public static Task SendAsync(InProcessTestCluster cluster, string deviceId, DeviceUpdate update) =>
        cluster.Silos[0].ServiceProvider.GetRequiredKeyedService<IStreamProvider>(DeviceStreams.ProviderName)
            .GetStream<DeviceMessage>(StreamId.Create(DeviceStreams.Messages, deviceId)).OnNextAsync(update);

    /// <summary>Lets the device send several updates that are delivered in one call.</summary>
    public Task SendTogetherAsync(string deviceId, params DeviceUpdate[] updates) =>
        Cluster.Silos[0].ServiceProvider.GetRequiredKeyedService<IStreamProvider>(DeviceStreams.ProviderName)
            .GetStream<DeviceMessage>(StreamId.Create(DeviceStreams.Messages, deviceId)).OnNextBatchAsync(updates);

    /// <summary>Returns a new device that answers every command after the publish, like the base profile.</summary>
    public string NewAnsweringDevice()
    {
        var id = NewDevice();
        Mqtt.Device(id).OnCommand = command => SendAsync(id, FakeDevice.Answer(command));
        return id;
    }

    public static string NewDevice() => $"device-{Guid.NewGuid():N}";

    internal static InProcessTestCluster Build(short silos, FakeMqtt mqtt, FakeStorage storage, bool memoryStorage, Action<DeviceOptions>? configure = null, CallLog? calls = null)
    {
        InProcessTestClusterBuilder builder = new(silos);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton(mqtt).AddSingleton(storage);
            if (calls is not null)
            {
                silo.AddIncomingGrainCallFilter(calls);
            }

            if (memoryStorage)
            {
                silo.AddMemoryGrainStorageAsDefault();
            }
            else
            {
                silo.Services.AddKeyedSingleton(
                    Orleans.Providers.ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, static (services, _) => FakeStorage.Create(services));
                silo.Services.AddSingleton(static services => FakeStorage.Create(services));
            }

            silo.AddDeviceGrains(configure);
            silo.AddPersistentStreams(DeviceStreams.ProviderName, FakeMqttAdapterFactory.Create, static streams =>
            {
                streams.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly);
                streams.ConfigurePullingAgent(static options => options.Configure(
                    static agent => agent.GetQueueMsgsTimerPeriod = TimeSpan.FromMilliseconds(5)));
            });
        });
        builder.ConfigureClientHost(static client => client.Services.AddDeviceCluster());
        return builder.Build();
    }
}

[CollectionDefinition(Name)]
public sealed class DeviceClusterTestGroup : ICollectionFixture<DeviceClusterFixture>
{
    public const string Name = "device cluster";
}
