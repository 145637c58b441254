namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Maps a topic to a stream, in one direction. Made by <see cref="FromTopic"/> and <see cref="ToTopic"/>.</summary>
public abstract class MqttRoute
{
    private protected MqttRoute(string topicTemplate, string streamNamespace)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(streamNamespace);
        Template = MqttTopicTemplate.Parse(topicTemplate);
        StreamNamespace = streamNamespace;
    }

    /// <summary>Gets the topic template.</summary>
    public string TopicTemplate => Template.ToString();

    /// <summary>Gets the namespace of the streams; their key stands in the topic.</summary>
    public string StreamNamespace { get; }

    internal MqttTopicTemplate Template { get; }

    /// <summary>Makes a route from a topic to a stream.</summary>
    /// <param name="topicTemplate">
    /// A topic filter in which a name in braces stands for the one level that is the stream key: <c>device/{key}/pin/update</c>. Other levels
    /// may be <c>+</c>, the last may be <c>#</c>. Spans are named by it.
    /// </param>
    /// <param name="streamNamespace">
    /// The namespace of the streams. Orleans matches implicit subscriptions by namespace across all providers: choose one that no other
    /// provider uses.
    /// </param>
    /// <param name="decoder">Makes events of messages.</param>
    /// <param name="qualityOfService">The highest quality of service to ask for.</param>
    /// <param name="connection">Which connection subscribes, when there are several and no shared group.</param>
    /// <exception cref="ArgumentException">The template or namespace is not valid.</exception>
    public static MqttRoute FromTopic<TEvent>(
        string topicTemplate,
        string streamNamespace,
        IMqttEventDecoder<TEvent> decoder,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        int connection = 0)
        where TEvent : notnull =>
        new MqttIncomingRoute<TEvent>(topicTemplate, streamNamespace, decoder, qualityOfService, connection);

    /// <summary>Makes a route from a stream to a topic.</summary>
    /// <param name="streamNamespace">The namespace of the streams.</param>
    /// <param name="topicTemplate">A topic in which a name in braces, such as <c>{key}</c>, stands for the stream key, without wildcards. Spans are named by it.</param>
    /// <param name="encoder">Makes messages of events.</param>
    /// <exception cref="ArgumentException">The template or namespace is not valid.</exception>
    public static MqttRoute ToTopic<TEvent>(string streamNamespace, string topicTemplate, IMqttEventEncoder<TEvent> encoder)
        where TEvent : notnull =>
        new MqttOutgoingRoute<TEvent>(streamNamespace, topicTemplate, encoder);
}

/// <summary>A route from a topic to a stream, without its event type.</summary>
internal abstract class MqttIncomingRoute(
    string topicTemplate, string streamNamespace, MqttQualityOfService qualityOfService, int connection)
    : MqttRoute(topicTemplate, streamNamespace)
{
    /// <summary>What <see cref="Decode"/> returns for a message that the decoder passes over.</summary>
    public static readonly object Ignored = new();

    public MqttQualityOfService QualityOfService { get; } = qualityOfService;

    public int Connection { get; } = connection;

    /// <summary>Decodes a message. The event is <see langword="null"/> when it was refused whole, and may be <see cref="Ignored"/>.</summary>
    public abstract object? Decode(MqttIncomingMessage message, out string? refusal, out string? detail, out int refusedParts);
}

internal sealed class MqttIncomingRoute<TEvent>(
    string topicTemplate,
    string streamNamespace,
    IMqttEventDecoder<TEvent> decoder,
    MqttQualityOfService qualityOfService,
    int connection)
    : MqttIncomingRoute(topicTemplate, streamNamespace, qualityOfService, connection)
    where TEvent : notnull
{
    private readonly IMqttEventDecoder<TEvent> _decoder = decoder ?? throw new ArgumentNullException(nameof(decoder));

    public override object? Decode(MqttIncomingMessage message, out string? refusal, out string? detail, out int refusedParts)
    {
        var decoded = _decoder.Decode(message);
        refusal = decoded.Refusal;
        detail = decoded.Detail;
        refusedParts = decoded.RefusedParts;
        return decoded.HasEvent ? decoded.Event : decoded.IsIgnored ? Ignored : null;
    }
}

/// <summary>A route from a stream to a topic, without its event type.</summary>
internal abstract class MqttOutgoingRoute(string streamNamespace, string topicTemplate)
    : MqttRoute(topicTemplate, streamNamespace)
{
    /// <summary>Gets the name of the spans of what is published.</summary>
    public string PublishSpanName { get; } = MqttStreamTracing.PublishSpanName(topicTemplate);

    public abstract MqttOutgoingMessage Encode<T>(string key, T value);

    public abstract Exception? ToException<T>(string key, T value, MqttPublishResult result);
}

internal sealed class MqttOutgoingRoute<TEvent> : MqttOutgoingRoute
    where TEvent : notnull
{
    private readonly IMqttEventEncoder<TEvent> _encoder;

    public MqttOutgoingRoute(string streamNamespace, string topicTemplate, IMqttEventEncoder<TEvent> encoder)
        : base(streamNamespace, topicTemplate)
    {
        _encoder = encoder ?? throw new ArgumentNullException(nameof(encoder));
        if (Template.HasWildcards)
        {
            throw new ArgumentException($"A topic to publish to has no wildcards: '{topicTemplate}'.", nameof(topicTemplate));
        }
    }

    public override MqttOutgoingMessage Encode<T>(string key, T value) => _encoder.Encode(key, Cast(value));

    public override Exception? ToException<T>(string key, T value, MqttPublishResult result) =>
        _encoder.ToException(key, Cast(value), result);

    private TEvent Cast<T>(T value) => value is TEvent typed
        ? typed
        : throw new InvalidOperationException(
            $"The route from stream namespace '{StreamNamespace}' publishes {typeof(TEvent)}, not {value?.GetType() ?? typeof(T)}.");
}
