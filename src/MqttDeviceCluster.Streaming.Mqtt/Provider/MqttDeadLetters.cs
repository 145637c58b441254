using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// The end of messages that cannot be read or delivered: counted, logged once per stream and minute, published to the dead-letter topic if there is one, and
/// acknowledged so that they do not come back.
/// </summary>
internal sealed partial class MqttDeadLetters(
    MqttStreamOptions options, IMqttPublisher? publisher, MqttStreamMetrics metrics, TimeProvider timeProvider, ILogger logger)
{
    private readonly LogThrottle _throttle = new(timeProvider);

    /// <summary>Reports a message, or parts of one, that was refused. It is not acknowledged yet.</summary>
    public void ReportRefusal(MqttIncomingMessage message, string reason, string detail, int parts)
    {
        metrics.MessageRefused(reason, parts);

        // The key is the stream's where there is one: a topic that matches no route is anyone's invention.
        if (_throttle.TryEnter(message.Key, out var heldBack))
        {
            LogRefused(Shorten(message.Topic), message.Payload.Length, reason, Shorten(detail), heldBack);
        }
    }

    public void ReportFailure(MqttIncomingMessage message, string reason)
    {
        metrics.MessageDeadLettered(reason);
        if (_throttle.TryEnter(message.Key, out var heldBack))
        {
            LogGivenUp(Shorten(message.Topic), reason, heldBack);
        }
    }

    /// <summary>Publishes the message as a dead letter, if there is a topic for it, and then completes it in any case.</summary>
    public void Bury(MqttDelivery delivery, string reason)
    {
        if (publisher is null || options.DeadLetterTopic is not { } topic)
        {
            delivery.Complete();
            return;
        }

        _ = PublishAsync(publisher, topic, delivery, reason);
    }

    private async Task PublishAsync(IMqttPublisher publisher, string topic, MqttDelivery delivery, string reason)
    {
        try
        {
            var message = delivery.Message;
            var result = await publisher.PublishAsync(topic, new()
            {
                Payload = message.Payload,
                ContentType = message.ContentType,
                CorrelationData = message.CorrelationData,
                UserProperties = [new("reason", reason), new("topic", message.Topic)],
            });
            if (!result.IsAccepted && _throttle.TryEnter(topic, out var heldBack))
            {
                LogDeadLetterLost(topic, result.Reason, heldBack);
            }
        }
        finally
        {
            // Whatever went wrong: a message that is never completed holds back every later acknowledgement.
            delivery.Complete();
        }
    }

    private static string Shorten(string text) => text.Length <= 200 ? text : string.Concat(text.AsSpan(0, 200), "…");

    [LoggerMessage(LogLevel.Warning, "Refused a message of {Bytes} bytes on '{Topic}': {Reason}, {Detail} ({HeldBack} more of this stream since the last report).")]
    private partial void LogRefused(string topic, int bytes, string reason, string detail, long heldBack);

    [LoggerMessage(LogLevel.Error, "Gave up a message on '{Topic}': {Reason} ({HeldBack} more of this stream since the last report). It is acknowledged and will not come back.")]
    private partial void LogGivenUp(string topic, string reason, long heldBack);

    [LoggerMessage(LogLevel.Error, "A dead letter could not be published to '{Topic}' and is lost: {Reason} ({HeldBack} more since the last report).")]
    private partial void LogDeadLetterLost(string topic, string reason, long heldBack);
}
