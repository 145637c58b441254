using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Streaming.Mqtt.Provider;
using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.Configuration;
using Orleans.Runtime.Providers;
using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Hosting;

/// <summary>Registers a provider's services, keyed by its name. Registering a name twice is the same as once.</summary>
internal static class MqttStreamsRegistration
{
    public static void AddToSilo(ISiloBuilder builder, string name)
    {
        if (!AddShared(builder.Services, name, receives: true))
        {
            return;
        }

        var configurator = new SiloPersistentStreamConfigurator(
            name, configure => configure(builder.Services), (services, key) => services.GetRequiredKeyedService<MqttQueueAdapterFactory>(key));
        configurator.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly);
        configurator.ConfigurePullingAgent(options => options.Configure<IOptionsMonitor<MqttStreamOptions>>((agent, monitor) =>
        {
            // Paid only after a stream's first message: otherwise the agent waits in the read.
            agent.GetQueueMsgsTimerPeriod = TimeSpan.FromMilliseconds(2);
            agent.BatchContainerBatchSize = 1;

            // How long the agent itself goes on trying; for MaxDeliveryTime in all, the cache gives it the same again. A grain that does not even activate keeps the agent from
            // reading for as long as this, and with it all streams of its queue.
            var most = monitor.Get(name).MaxDeliveryTime / 4;
            agent.MaxEventDeliveryTime = most < TimeSpan.FromSeconds(1) ? most : TimeSpan.FromSeconds(1);
            agent.StreamInactivityPeriod = TimeSpan.FromHours(1);
        }));
        configurator.ConfigureBackoffProvider((IServiceProvider _, string _) =>
            (IMessageDeliveryBackoffProvider)new RetryBackoff(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(2)));
        configurator.ConfigureBackoffProvider((IServiceProvider _, string _) =>
            (IQueueReaderBackoffProvider)new RetryBackoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1)));
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => new MqttStreamLifecycle(
            name,
            services.GetRequiredKeyedService<MqttQueueAdapterFactory>(name),
            services.GetRequiredService<IOptionsMonitor<StreamLifecycleOptions>>().Get(name)));
    }

    public static void AddToClient(IClientBuilder builder, string name)
    {
        if (!AddShared(builder.Services, name, receives: false))
        {
            return;
        }

        var configurator = new ClusterClientPersistentStreamConfigurator(
            name, builder, (services, key) => services.GetRequiredKeyedService<MqttQueueAdapterFactory>(key));
        configurator.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly);
        builder.Services.AddSingleton<ILifecycleParticipant<IClusterClientLifecycle>>(services => new MqttStreamLifecycle(
            name,
            services.GetRequiredKeyedService<MqttQueueAdapterFactory>(name),
            services.GetRequiredService<IOptionsMonitor<StreamLifecycleOptions>>().Get(name)));
    }

    /// <summary>Returns <see langword="false"/> if the provider is there already.</summary>
    private static bool AddShared(IServiceCollection services, string name, bool receives)
    {
        if (services.Any(service => service.IsKeyedService && service.ServiceType == typeof(MqttQueueAdapterFactory) && name.Equals(service.ServiceKey)))
        {
            return false;
        }

        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddKeyedSingleton(MqttCodec.RawName, MqttCodec.Raw);
        services.AddSingleton(provider => MqttStreamOptionsValidator.Create(provider, name, receives));
        services.AddKeyedSingleton<IMqttStreamStatus>(name, (provider, key) => provider.GetRequiredKeyedService<MqttQueueAdapterFactory>(key));
        services.AddKeyedSingleton(name, (provider, key) => new MqttStreamMetrics(
            provider.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), name));
        services.TryAddKeyedSingleton<IMqttConnectionFactory>(name, (provider, key) =>
        {
            var options = provider.GetRequiredService<IOptionsMonitor<MqttStreamOptions>>().Get(name);
            return new MqttConnectionFactory(
                options,
                options.ClientId ?? $"{provider.GetRequiredService<IOptions<ClusterOptions>>().Value.ServiceId}-{name}",
                provider.GetRequiredKeyedService<MqttStreamMetrics>(key),
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILoggerFactory>().CreateLogger($"{typeof(MqttConnectionFactory).Namespace}.{name}"),
                provider.GetKeyedService<IMqttFence>(key));
        });
        services.AddKeyedSingleton(name, (provider, key) => new MqttQueueAdapterFactory(
            name,
            provider.GetRequiredService<IOptionsMonitor<MqttStreamOptions>>().Get(name),
            provider.GetRequiredKeyedService<IMqttConnectionFactory>(key),
            provider.GetRequiredKeyedService<MqttStreamMetrics>(key),
            provider.GetKeyedService<IMqttDeliveryGate>(key),
            provider.GetKeyedService<IMqttFence>(key),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>()));
        return true;
    }
}
