using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Counts the retained messages of one connection, and keeps the topics of the first.</summary>
internal sealed class RetainedReader(int maxTopics, bool stopsWhenFull, TimeProvider timeProvider) : IMqttLinkReceiver
{
    // A topic may be as long as 65,535 bytes: not only their number is bounded.
    private const int MaxCharacters = 4 * 1024 * 1024;

    private readonly TaskCompletionSource _full = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly List<string> _topics = [];
    private long _count;
    private long _lastReceived;
    private int _characters;

    /// <summary>Gets a task that ends when no more topics are kept; never, if it goes on counting.</summary>
    public Task Full => _full.Task;

    public long Count => Volatile.Read(ref _count);

    /// <summary>Gets when the last retained message came.</summary>
    public long LastReceived => Volatile.Read(ref _lastReceived);

    /// <summary>Gets or sets whether the broker had no more.</summary>
    public bool IsComplete { get; set; }

    /// <summary>Returns what was found so far.</summary>
    public MqttRetainedReport Report()
    {
        lock (_lock)
        {
            return new MqttRetainedReport(_count, [.. _topics], IsComplete);
        }
    }

    void IMqttLinkReceiver.OnPublish(MqttIncomingMessage message, ushort packetId)
    {
        // What is published this moment comes without the flag, also when it is to be retained. An empty message retains nothing.
        if (!message.Retain || message.Payload.IsEmpty)
        {
            return;
        }

        Volatile.Write(ref _lastReceived, timeProvider.GetTimestamp());
        lock (_lock)
        {
            _count++;
            if (_topics.Count < maxTopics && _characters < MaxCharacters)
            {
                _topics.Add(message.Topic);
                _characters += message.Topic.Length;
            }
            else if (stopsWhenFull)
            {
                _full.TrySetResult();
            }
        }
    }

    void IMqttLinkReceiver.OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason)
    {
        // This connection publishes nothing.
    }
}
