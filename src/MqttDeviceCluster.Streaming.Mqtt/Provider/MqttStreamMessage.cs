using MqttDeviceCluster.Streaming.Mqtt.Session;
using Orleans.Providers.Streams.Common;
using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// One received event: the unit that the queues, the cache and the acknowledgement deal in, and, when it travels alone, the batch that is delivered.
/// Only the stream, the token and the event cross the wire to another silo.
/// </summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.Streaming.Mqtt.Message")]
internal sealed class MqttStreamMessage(StreamId streamId, EventSequenceTokenV2 token, object value) : IBatchContainer
{
    [NonSerialized]
    private MqttDelivery? _delivery;

    [NonSerialized]
    private int _ended;

    [NonSerialized]
    private long _position;

    [NonSerialized]
    private MqttStreamMessage? _next;

    [Id(0)]
    public StreamId StreamId { get; } = streamId;

    [Id(1)]
    public EventSequenceTokenV2 Token { get; } = token;

    [Id(2)]
    public object Event { get; } = value;

    public StreamSequenceToken SequenceToken => Token;

    /// <summary>Gets or sets where the message came from; <see langword="null"/> on other silos.</summary>
    public MqttDelivery? Delivery
    {
        get => _delivery;
        set => _delivery = value;
    }

    /// <summary>Gets whether it is finished, dropped or given up.</summary>
    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    /// <summary>Gets or sets its number within its stream's buffer.</summary>
    public long Position
    {
        get => _position;
        set => _position = value;
    }

    /// <summary>Gets or sets the next message of the stream.</summary>
    public MqttStreamMessage? Next
    {
        get => _next;
        set => _next = value;
    }

    /// <summary>Ends the message. Returns <see langword="false"/> if it had ended already: a connection may drop what an agent finishes.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _ended, 1) == 0;

    public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>() =>
        Event is T value ? [Tuple.Create<T, StreamSequenceToken>(value, Token)] : [];

    public bool ImportRequestContext() => false;
}

/// <summary>Several events of one stream, delivered in one call. Its token is that of the last; each event has its own, by which it is known when it comes in another batch.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.Streaming.Mqtt.Batch")]
internal sealed class MqttStreamBatch(StreamId streamId, List<object> events, EventSequenceTokenV2 token, List<EventSequenceTokenV2>? tokens) : IBatchContainer
{
    [Id(0)]
    public StreamId StreamId { get; } = streamId;

    [Id(1)]
    public List<object> Events { get; } = events;

    [Id(2)]
    public EventSequenceTokenV2 Token { get; } = token;

    /// <summary>Gets the token of each event; <see langword="null"/> from a silo of an earlier version.</summary>
    [Id(3)]
    public List<EventSequenceTokenV2>? Tokens { get; } = tokens;

    public StreamSequenceToken SequenceToken => Token;

    public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>()
    {
        for (var i = 0; i < Events.Count; i++)
        {
            if (Events[i] is T typed)
            {
                yield return Tuple.Create<T, StreamSequenceToken>(typed, Tokens is null ? Token : Tokens[i]);
            }
        }
    }

    public bool ImportRequestContext() => false;
}
