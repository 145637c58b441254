using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Makes the connections of one provider to its broker.</summary>
internal sealed class MqttConnectionFactory(
    MqttStreamOptions options, string clientId, MqttStreamMetrics metrics, TimeProvider timeProvider, ILogger logger, IMqttFence? fence = null) : IMqttConnectionFactory
{
    public IMqttSession CreateSession(int connection, IReadOnlyList<MqttFilter> subscriptions, IMqttDeliverySink sink) =>
        new MqttSession(options, $"{clientId}-{connection}", subscriptions, sink, metrics, logger, timeProvider, fence: fence);

    public IMqttPublisher CreatePublisher() => new MqttPublisher(options, clientId, metrics, logger, timeProvider, fence: fence);

    public IMqttPublisher CreateDeadLetterPublisher() => new MqttPublisher(options, clientId, metrics, logger, timeProvider, role: "dead letters");
}
