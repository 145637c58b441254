using System.Diagnostics;

namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>
/// The spans of the provider, and every name in them. They follow OpenTelemetry's conventions for messaging (1.40, in development, without an MQTT page): pinned here and
/// nowhere else.
/// </summary>
/// <remarks>
/// <para><c>publish {topic template}</c> (PRODUCER) is made by the provider, from the call of <c>OnNextAsync</c> to the broker's answer. Its context goes out in the user properties
/// <c>traceparent</c> and <c>tracestate</c>. Baggage never leaves the process.</para>
/// <para><c>process {topic template}</c> (CONSUMER) is made by the consumer, with <see cref="StartProcess"/>: what it belongs to, and whether it is worth a span, is known there. The
/// way of a message from the connection to the consumer has no span.</para>
/// </remarks>
public static class MqttStreamTracing
{
    /// <summary>The name to pass to <c>AddSource</c>.</summary>
    public const string ActivitySourceName = "MqttDeviceCluster.Streaming.Mqtt";

    /// <summary>Always <c>mqtt</c>.</summary>
    public const string SystemTag = "messaging.system";

    /// <summary><c>publish</c> or <c>process</c>.</summary>
    public const string OperationNameTag = "messaging.operation.name";

    /// <summary><c>send</c> or <c>process</c>.</summary>
    public const string OperationTypeTag = "messaging.operation.type";

    /// <summary>The topic.</summary>
    public const string DestinationTag = "messaging.destination.name";

    /// <summary>The route's topic template.</summary>
    public const string TemplateTag = "messaging.destination.template";

    /// <summary>The MQTT 5 Correlation Data, in lower case hexadecimal digits.</summary>
    public const string ConversationTag = "messaging.message.conversation_id";

    /// <summary>The size of the payload in bytes.</summary>
    public const string BodySizeTag = "messaging.message.body.size";

    /// <summary>Always <c>mqtt</c>.</summary>
    public const string ProtocolTag = "network.protocol.name";

    /// <summary>Always <c>5</c>.</summary>
    public const string ProtocolVersionTag = "network.protocol.version";

    /// <summary>The broker's host name or address.</summary>
    public const string ServerTag = "server.address";

    /// <summary>The broker's port.</summary>
    public const string ServerPortTag = "server.port";

    /// <summary>What went wrong: a <see cref="MqttPublishOutcome"/>, or what the consumer says.</summary>
    public const string ErrorTag = "error.type";

    /// <summary>The quality of service: 0 or 1.</summary>
    public const string QualityOfServiceTag = "mqtt.qos";

    /// <summary>Whether the broker sent it from its retained messages; only when it did.</summary>
    public const string RetainTag = "mqtt.retain";

    /// <summary>Whether the broker marked it as sent again; only when it did.</summary>
    public const string DuplicateTag = "mqtt.dup";

    /// <summary>The reason code of the broker's answer, when it is not 0.</summary>
    public const string ReasonCodeTag = "mqtt.reason_code";

    /// <summary>The user property with the W3C trace parent.</summary>
    internal const string TraceParent = "traceparent";

    /// <summary>The user property with the W3C trace state.</summary>
    internal const string TraceState = "tracestate";

    private const string Mqtt = "mqtt";
    private const string Publish = "publish";
    private const string Process = "process";

    private static readonly ActivitySource Source = new(ActivitySourceName);

    /// <summary>
    /// Begins the span of a received message; whoever calls ends it when the message is done with. Returns <see langword="null"/> when nobody listens or the sampler leaves it out.
    /// </summary>
    /// <param name="topicTemplate">The topic template of the route, which names the span.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="sender">The context that came with the message (<see cref="MqttIncomingMessage.TryGetTraceContext"/>), if any.</param>
    /// <param name="answered">The context of the message that this one answers: the span becomes a part of that trace. Default: it answers none, and is the root of a trace.</param>
    /// <param name="startTime">When the work began; default is now.</param>
    /// <remarks>
    /// The sender is a stranger. If it continues the trace of what it answers, the span stands below the sender's; otherwise the sender's context is linked. Whether it says that
    /// it is sampled does not matter in either case.
    /// </remarks>
    public static Activity? StartProcess(
        string topicTemplate, string topic, ActivityContext? sender = null, ActivityContext answered = default, DateTimeOffset startTime = default)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var continues = sender is { } context && context.TraceId == answered.TraceId;
        var parent = continues ? new ActivityContext(answered.TraceId, sender!.Value.SpanId, answered.TraceFlags, answered.TraceState, isRemote: true) : answered;
        ActivityLink[]? links = sender is { } stranger && !continues ? [new(stranger)] : null;
        var current = Activity.Current;
        if (parent == default)
        {
            // With no parent given, the current one would be it.
            Activity.Current = null;
        }

        var activity = Source.StartActivity(ActivityKind.Consumer, parent, null, links, startTime, $"{Process} {topicTemplate}");
        if (activity is null)
        {
            Activity.Current = current;
        }
        else if (activity.IsAllDataRequested)
        {
            Describe(activity, Process, Process, topicTemplate, topic);
        }

        return activity;
    }

    /// <summary>Begins the span of a message that is published. <see langword="null"/> when nobody listens or the trace is not sampled.</summary>
    internal static Activity? StartPublish(MqttOutgoingRoute route, string topic, MqttOutgoingMessage message, MqttConnectionString? broker)
    {
        if (Source.StartActivity(route.PublishSpanName, ActivityKind.Producer) is not { } activity)
        {
            return null;
        }

        if (!activity.IsAllDataRequested && activity.ParentSpanId == default)
        {
            // The root of a trace that the sampler leaves out: its context is nobody's, and goes nowhere.
            activity.Dispose();
            return null;
        }

        if (activity.IsAllDataRequested)
        {
            Describe(activity, Publish, "send", route.TopicTemplate, topic);
            activity.SetTag(BodySizeTag, message.Payload.Length);
            activity.SetTag(QualityOfServiceTag, (int)message.QualityOfService);
            if (!message.CorrelationData.IsEmpty)
            {
                activity.SetTag(ConversationTag, Convert.ToHexStringLower(message.CorrelationData.Span));
            }

            if (broker is not null)
            {
                activity.SetTag(ServerTag, broker.Host);
                activity.SetTag(ServerPortTag, broker.Port);
            }
        }

        return activity;
    }

    /// <summary>Says what became of a published message.</summary>
    internal static void EndPublish(Activity activity, MqttPublishResult result, Exception? failure)
    {
        if (!activity.IsAllDataRequested)
        {
            return;
        }

        if (result.ReasonCode != 0)
        {
            activity.SetTag(ReasonCodeTag, (int)result.ReasonCode);
        }

        if (failure is not null)
        {
            activity.SetTag(ErrorTag, result.Outcome.ToString());
            activity.SetStatus(ActivityStatusCode.Error, result.Reason);
        }
    }

    /// <summary>Reads the context that the sender of a message gave, if it gave exactly one and it is valid.</summary>
    internal static (string? TraceParent, string? TraceState) Read(IReadOnlyList<KeyValuePair<string, string>> userProperties)
    {
        string? parent = null;
        string? state = null;
        for (var i = 0; i < userProperties.Count; i++)
        {
            var (name, value) = userProperties[i];
            if (name == TraceParent)
            {
                if (parent is not null)
                {
                    return default;
                }

                parent = value;
            }
            else if (name == TraceState)
            {
                // The length that W3C asks to propagate; more is a stranger's burden.
                state = value.Length <= 512 ? value : null;
            }
        }

        return ActivityContext.TryParse(parent, state, isRemote: true, out _) ? (parent, state) : default;
    }

    internal static string PublishSpanName(string topicTemplate) => $"{Publish} {topicTemplate}";

    private static void Describe(Activity activity, string operation, string type, string template, string topic)
    {
        activity.SetTag(SystemTag, Mqtt);
        activity.SetTag(OperationNameTag, operation);
        activity.SetTag(OperationTypeTag, type);
        activity.SetTag(TemplateTag, template);
        activity.SetTag(DestinationTag, topic);
        activity.SetTag(ProtocolTag, Mqtt);
        activity.SetTag(ProtocolVersionTag, "5");
    }
}
