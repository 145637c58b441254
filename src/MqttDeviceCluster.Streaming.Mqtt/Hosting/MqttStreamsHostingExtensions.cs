using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Hosting;
using Orleans.Configuration;

namespace Orleans.Hosting;

/// <summary>Adds MQTT stream providers.</summary>
public static class MqttStreamsHostingExtensions
{
    /// <summary>Adds an MQTT stream provider to a silo: it receives and publishes.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name, which names its options as well.</param>
    /// <param name="configure">Sets the options; runs after what was bound from configuration.</param>
    /// <remarks>
    /// Streams have implicit subscribers only ([ImplicitStreamSubscription]). An event is acknowledged to the broker after <c>OnNextAsync</c> of all of
    /// them has ended; while it throws, the event is delivered again.
    /// </remarks>
    public static ISiloBuilder AddMqttStreams(this ISiloBuilder builder, string name, Action<MqttStreamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (configure is not null)
        {
            builder.Services.Configure(name, configure);
        }

        MqttStreamsRegistration.AddToSilo(builder, name);
        return builder;
    }

    /// <summary>Adds an MQTT stream provider to a client: it publishes, over a connection of its own. It cannot receive.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="name">The provider's name, which names its options as well.</param>
    /// <param name="configure">Sets the options; runs after what was bound from configuration.</param>
    public static IClientBuilder AddMqttStreams(this IClientBuilder builder, string name, Action<MqttStreamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (configure is not null)
        {
            builder.Services.Configure(name, configure);
        }

        MqttStreamsRegistration.AddToClient(builder, name);
        return builder;
    }

    /// <summary>Changes the options of the pulling agents of an MQTT stream provider. <c>BatchContainerBatchSize</c> must stay 1.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name.</param>
    /// <param name="configure">Sets the options; runs after the provider's own defaults.</param>
    public static ISiloBuilder ConfigureMqttPullingAgents(this ISiloBuilder builder, string name, Action<StreamPullingAgentOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.PostConfigure(name, configure);
        return builder;
    }

    /// <summary>Registers a codec under a name, for routes in a configuration file.</summary>
    /// <param name="services">The services of the silo or client.</param>
    /// <param name="name">The name that routes give as <c>Codec</c>.</param>
    /// <param name="codec">The codec.</param>
    public static IServiceCollection AddMqttCodec(this IServiceCollection services, string name, MqttCodec codec)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(codec);
        return services.AddKeyedSingleton(name, codec);
    }
}
