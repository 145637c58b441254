using System.Diagnostics;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>A message on its way out, and the promise of its result.</summary>
internal sealed class PendingPublish : TaskCompletionSource<MqttPublishResult>
{
    private readonly TimeProvider _timeProvider;
    private readonly MqttStreamMetrics _metrics;
    private readonly TimeSpan? _expiresIn;

    // Continuations run elsewhere: they would hold up the connection's receive loop, and with it all other results.
    public PendingPublish(string topic, MqttOutgoingMessage message, TimeProvider timeProvider, MqttStreamMetrics metrics)
        : base(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        Topic = topic;
        Message = message;
        EnqueuedAt = timeProvider.GetTimestamp();
        _expiresIn = message.ExpiresAt - timeProvider.GetUtcNow();
        _timeProvider = timeProvider;
        _metrics = metrics;
        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity)
        {
            TraceParent = activity.Id;
            TraceState = string.IsNullOrEmpty(activity.TraceStateString) ? null : activity.TraceStateString;
        }
    }

    public string Topic { get; }

    public MqttOutgoingMessage Message { get; }

    public long EnqueuedAt { get; }

    public string? TraceParent { get; }

    public string? TraceState { get; }

    public bool IsDone => Task.IsCompleted;

    /// <summary>Gives the message its place in a connection. The expiry is what is left now: whole seconds rounded down, at least 1, and no more for a clock that was set back.</summary>
    public MqttLinkPublish ToPacket(ushort packetId, DateTimeOffset now)
    {
        var expiry = Message.ExpiresAt is { } expiresAt
            ? (uint)Math.Clamp(Math.Min((expiresAt - now).TotalSeconds, (_expiresIn!.Value - _timeProvider.GetElapsedTime(EnqueuedAt)).TotalSeconds), 1, uint.MaxValue)
            : 0;
        return new MqttLinkPublish(Topic, Message, packetId, expiry, TraceParent, TraceState);
    }

    /// <summary>Gives the result, if none was given yet.</summary>
    public void Finish(MqttPublishOutcome outcome, string reason, byte reasonCode = 0)
    {
        if (TrySetResult(new MqttPublishResult(outcome, reasonCode, reason)))
        {
            _metrics.MessagePublished(outcome, _timeProvider.GetElapsedTime(EnqueuedAt));
        }
    }
}
