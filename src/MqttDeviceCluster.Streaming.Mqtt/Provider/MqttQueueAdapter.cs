using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>Publishes events, and hands out the receiving ends of the queues.</summary>
internal sealed class MqttQueueAdapter(
    string name, StreamProviderDirection direction, IEnumerable<MqttOutgoingRoute> routes, IMqttPublisher? publisher, MqttConnectionString? broker, Func<QueueId, IQueueAdapterReceiver> createReceiver)
    : IQueueAdapter
{
    private readonly Dictionary<string, MqttOutgoingRoute> _routes = routes.ToDictionary(route => route.StreamNamespace, StringComparer.Ordinal);

    public string Name => name;

    /// <summary>MQTT has no offsets to go back to.</summary>
    public bool IsRewindable => false;

    public StreamProviderDirection Direction => direction;

    public IQueueAdapterReceiver CreateReceiver(QueueId queueId) => createReceiver(queueId);

    /// <summary>
    /// Publishes events in their order. Ends when the broker has taken responsibility for all of them, and throws what the route's encoder makes of the
    /// first that failed.
    /// </summary>
    public Task QueueMessageBatchAsync<T>(
        StreamId streamId, IEnumerable<T> events, StreamSequenceToken? token, Dictionary<string, object>? requestContext)
    {
        ArgumentNullException.ThrowIfNull(events);
        var streamNamespace = streamId.GetNamespace() ?? "";
        if (publisher is null || !_routes.TryGetValue(streamNamespace, out var route))
        {
            throw new InvalidOperationException($"Stream provider '{name}' has no route from stream namespace '{streamNamespace}' to a topic.");
        }

        var key = streamId.GetKeyAsString();
        var topic = route.Template.Format(key);
        if (events is IReadOnlyCollection<T> { Count: 1 })
        {
            return PublishAsync(publisher, route, topic, key, events.First());
        }

        // All are handed over before the first is awaited: the publisher keeps their order, and the round trips overlap.
        return Task.WhenAll(events.Select(value => PublishAsync(publisher, route, topic, key, value)).ToList());
    }

    private async Task PublishAsync<T>(IMqttPublisher publisher, MqttOutgoingRoute route, string topic, string key, T value)
    {
        var message = route.Encode(key, value);
        using var activity = MqttStreamTracing.StartPublish(route, topic, message, broker);
        if (activity is not null)
        {
            message.Traced?.Invoke(activity);
        }

        var result = await publisher.PublishAsync(topic, message).ConfigureAwait(false);
        var exception = route.ToException(key, value, result);
        if (activity is not null)
        {
            MqttStreamTracing.EndPublish(activity, result, exception);
        }

        if (exception is not null)
        {
            throw exception;
        }
    }
}
