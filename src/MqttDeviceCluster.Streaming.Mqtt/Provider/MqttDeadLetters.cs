using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// The end of messages that cannot be read or delivered: counted, logged now and then, published to the dead-letter topic if there is one, and
/// acknowledged so that they do not come back.
/// </summary>
internal sealed partial class MqttDeadLetters(
    MqttStreamOptions options, IMqttPublisher? publisher, MqttStreamMetrics metrics, TimeProvider timeProvider, ILogger logger)
{
    /// <summary>Bounds what waits for a broker that is slow or away. Beyond it dead letters are lost, and counted so: they are not worth holding up the living for.</summary>
    private const long MaxBytesUnderWay = 32 * 1024 * 1024;

    /// <summary>How long a dead letter is waited for while the broker answers none, and how long while it answers others: a flood of garbage is slowed, and nothing of it lost.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxPatience = TimeSpan.FromSeconds(5);

    // One for each: what is given up must not go unsaid because something was refused.
    private readonly LogThrottle _refusals = new(timeProvider);
    private readonly LogThrottle _failures = new(timeProvider);
    private readonly LogThrottle _losses = new(timeProvider);

    // More than can be unacknowledged: while a dead letter is waited for, its message holds a place there, and that is what slows the broker.
    private readonly int _maxUnderWay = 2 * Math.Max(4096, options.ReceiveMaximum);
    private long _lastAnswer = timeProvider.GetTimestamp();
    private int _underWay;
    private long _bytesUnderWay;

    /// <summary>Reports a message, or parts of one, that was refused. It is not acknowledged yet.</summary>
    public void ReportRefusal(MqttIncomingMessage message, string reason, string detail, int parts)
    {
        metrics.MessageRefused(reason, parts);

        // The key is the stream's where there is one: a topic that matches no route is anyone's invention.
        if (_refusals.TryEnter(message.Key, out var heldBack, out var others))
        {
            LogRefused(Shorten(message.Topic), message.Payload.Length, reason, Shorten(detail), heldBack, others);
        }
    }

    public void ReportFailure(MqttIncomingMessage message, string reason)
    {
        metrics.MessageDeadLettered(reason);
        if (_failures.TryEnter(message.Key, out var heldBack, out var others))
        {
            LogGivenUp(Shorten(message.Topic), reason, heldBack, others);
        }
    }

    /// <summary>
    /// Publishes the message as a dead letter, if there is a topic for it, and completes it: once the broker has the dead letter, and after a bounded time in any case.
    /// </summary>
    public void Bury(MqttDelivery delivery, string reason)
    {
        if (publisher is null || options.DeadLetterTopic is not { } topic)
        {
            delivery.Complete();
        }
        else if (TryReserve(delivery.Message.Payload.Length))
        {
            _ = PublishAsync(publisher, topic, delivery, reason);
        }
        else
        {
            delivery.Complete();
            Lose(topic, "too many are under way");
        }
    }

    private async Task PublishAsync(IMqttPublisher publisher, string topic, MqttDelivery delivery, string reason)
    {
        var message = delivery.Message;
        try
        {
            var publishing = publisher.PublishAsync(topic, new()
            {
                Payload = message.Payload,
                ContentType = message.ContentType,
                CorrelationData = message.CorrelationData,
                UserProperties = [new("reason", reason), new("topic", message.Topic)],
            });
            await WaitAsync(publishing);

            // Whatever becomes of it: a message that is not completed holds back every later acknowledgement.
            delivery.Complete();
            var result = await publishing;
            Volatile.Write(ref _lastAnswer, timeProvider.GetTimestamp());
            if (result.IsAccepted)
            {
                metrics.DeadLetterPublished();
            }
            else
            {
                Lose(topic, result.Reason);
            }
        }
        finally
        {
            delivery.Complete();
            Release(message.Payload.Length);
        }
    }

    private async Task WaitAsync(Task publishing)
    {
        var started = timeProvider.GetTimestamp();
        do
        {
            await publishing.WaitAsync(Patience, timeProvider).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (!publishing.IsCompleted
            && timeProvider.GetElapsedTime(Volatile.Read(ref _lastAnswer)) < Patience
            && timeProvider.GetElapsedTime(started) < MaxPatience);
    }

    private bool TryReserve(int bytes)
    {
        // Not "and": both are taken, and both given back.
        if (Interlocked.Increment(ref _underWay) <= _maxUnderWay & Interlocked.Add(ref _bytesUnderWay, bytes) <= MaxBytesUnderWay)
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    private void Release(int bytes)
    {
        Interlocked.Decrement(ref _underWay);
        Interlocked.Add(ref _bytesUnderWay, -bytes);
    }

    private void Lose(string topic, string reason)
    {
        metrics.DeadLetterLost();
        // One topic: others there are none.
        if (_losses.TryEnter(topic, out var heldBack, out _))
        {
            LogDeadLetterLost(topic, reason, heldBack);
        }
    }

    private static string Shorten(string text) => text.Length <= 200 ? text : string.Concat(text.AsSpan(0, 200), "…");

    [LoggerMessage(LogLevel.Warning, "Refused a message of {Bytes} bytes on '{Topic}': {Reason}, {Detail} ({HeldBack} more of this stream since its last report, {Others} of streams that had none).")]
    private partial void LogRefused(string topic, int bytes, string reason, string detail, long heldBack, long others);

    [LoggerMessage(LogLevel.Error, "Gave up a message on '{Topic}': {Reason} ({HeldBack} more of this stream since its last report, {Others} of streams that had none). It is acknowledged and will not come back.")]
    private partial void LogGivenUp(string topic, string reason, long heldBack, long others);

    [LoggerMessage(LogLevel.Error, "A dead letter could not be published to '{Topic}' and is lost: {Reason} ({HeldBack} more since the last report).")]
    private partial void LogDeadLetterLost(string topic, string reason, long heldBack);
}
