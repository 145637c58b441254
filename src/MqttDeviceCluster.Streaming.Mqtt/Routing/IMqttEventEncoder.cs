namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Makes messages of the events that grains and clients publish to a stream. Thread-safe.</summary>
/// <typeparam name="TEvent">The event type of the stream.</typeparam>
public interface IMqttEventEncoder<in TEvent>
    where TEvent : notnull
{
    /// <summary>Encodes one event of the stream <paramref name="key"/>.</summary>
    MqttOutgoingMessage Encode(string key, TEvent value);

    /// <summary>
    /// Returns the exception that <c>OnNextAsync</c> shall throw for <paramref name="result"/>, or <see langword="null"/> when it shall
    /// succeed. The default takes whatever the broker took and throws <see cref="MqttPublishException"/> for all else.
    /// </summary>
    /// <remarks>The exception crosses grain calls: it needs an Orleans serializer.</remarks>
    Exception? ToException(string key, TEvent value, MqttPublishResult result) =>
        result.IsAccepted ? null : new MqttPublishException(result);
}
