using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streaming.Mqtt;

namespace Orleans.Hosting;

/// <summary>Adds MQTT stream providers.</summary>
public static class MqttStreamsHostingExtensions
{
    /// <summary>Adds an MQTT stream provider to a silo: it receives and publishes.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="name">The provider's name, which names its options as well.</param>
    /// <param name="configure">Sets the options; runs after those bound from configuration.</param>
    public static ISiloBuilder AddMqttStreams(this ISiloBuilder builder, string name, Action<MqttStreamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (configure is not null)
        {
            builder.Services.Configure(name, configure);
        }

        return builder;
    }
}
