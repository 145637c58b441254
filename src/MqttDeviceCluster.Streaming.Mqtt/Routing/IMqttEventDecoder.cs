namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Makes events of received messages. Called on the connection's receive path: it must be fast, thread-safe and must not block.</summary>
/// <typeparam name="TEvent">The event type of the stream; it needs an Orleans serializer when grains live on several silos.</typeparam>
public interface IMqttEventDecoder<TEvent>
    where TEvent : notnull
{
    /// <summary>
    /// Decodes <paramref name="message"/>, or refuses it. A refused message is counted by reason, logged once per stream and minute,
    /// acknowledged, and published to the dead-letter topic if there is one. An exception counts as a refusal, <c>decoder_error</c>.
    /// </summary>
    MqttDecoded<TEvent> Decode(MqttIncomingMessage message);
}

/// <summary>What a decoder made of a message.</summary>
/// <typeparam name="TEvent">The event type of the stream.</typeparam>
public readonly struct MqttDecoded<TEvent>
    where TEvent : notnull
{
    internal MqttDecoded(TEvent? value, bool hasEvent, string? refusal, string? detail, int refusedParts, bool isIgnored = false)
    {
        IsIgnored = isIgnored;
        Event = value;
        HasEvent = hasEvent;
        Refusal = refusal;
        Detail = detail;
        RefusedParts = refusedParts;
    }

    /// <summary>Gets the event, if there is one.</summary>
    public TEvent? Event { get; }

    /// <summary>Gets whether there is an event to deliver.</summary>
    public bool HasEvent { get; }

    /// <summary>Gets why the message, or a part of it, was refused: a short name from a small fixed set, used as a metric tag.</summary>
    public string? Refusal { get; }

    /// <summary>Gets what exactly was wrong, for the log.</summary>
    public string? Detail { get; }

    /// <summary>Gets how many parts of the message were refused.</summary>
    public int RefusedParts { get; }

    /// <summary>Gets whether the message says nothing, and is done with.</summary>
    public bool IsIgnored { get; }
}

/// <summary>Makes <see cref="MqttDecoded{TEvent}"/> values.</summary>
public static class MqttDecoded
{
    /// <summary>Accepts the message.</summary>
    public static MqttDecoded<TEvent> Accept<TEvent>(TEvent value)
        where TEvent : notnull =>
        new(value, true, null, null, 0);

    /// <summary>Accepts the message without <paramref name="refusedParts"/> of its parts, which are counted and logged.</summary>
    public static MqttDecoded<TEvent> AcceptPart<TEvent>(TEvent value, int refusedParts, string refusal, string detail)
        where TEvent : notnull =>
        new(value, true, refusal, detail, refusedParts);

    /// <summary>Passes over a message that is good and says nothing: it is acknowledged, and neither delivered nor counted as refused.</summary>
    public static MqttDecoded<TEvent> Ignore<TEvent>()
        where TEvent : notnull =>
        new(default, false, null, null, 0, isIgnored: true);

    /// <summary>Refuses the message.</summary>
    public static MqttDecoded<TEvent> Refuse<TEvent>(string refusal, string detail)
        where TEvent : notnull =>
        new(default, false, refusal, detail, 1);
}
