using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>One receiving session at the broker, kept up for ever. Messages go to the <see cref="IMqttDeliverySink"/> it was made with.</summary>
internal interface IMqttSession
{
    MqttConnectionState State { get; }

    /// <summary>Gets since when the session is online without a break (UTC), or <see langword="null"/> while it is not.</summary>
    DateTimeOffset? OnlineSince { get; }

    /// <summary>Gets why the session is not online, without secrets, or <see langword="null"/>.</summary>
    string? Problem { get; }

    /// <summary>Gets how many received QoS 1 messages are not acknowledged yet.</summary>
    int Unacknowledged { get; }

    /// <summary>Starts to connect, in the background. Returns at once and never throws for a broker that is away.</summary>
    void Start();

    /// <summary>
    /// Stops receiving, waits up to <paramref name="drain"/> for what was received to be completed, sends the acknowledgements, and disconnects
    /// without giving up the session. May be called again; later calls await the first.
    /// </summary>
    Task StopAsync(TimeSpan drain, CancellationToken cancellationToken);
}

/// <summary>The connection that a process publishes on, kept up for ever.</summary>
internal interface IMqttPublisher
{
    MqttConnectionState State { get; }

    /// <summary>Gets whether the connection has been online at any time.</summary>
    bool WasOnline { get; }

    /// <summary>Gets why the connection is not online, without secrets, or <see langword="null"/>.</summary>
    string? Problem { get; }

    /// <summary>Starts to connect, in the background. Returns at once and never throws for a broker that is away.</summary>
    void Start();

    /// <summary>Publishes a message. Never throws for what the broker or the network does: see <see cref="MqttPublishResult"/>.</summary>
    Task<MqttPublishResult> PublishAsync(string topic, MqttOutgoingMessage message);

    /// <summary>Disconnects after at most <paramref name="drain"/> for what is in flight.</summary>
    Task StopAsync(TimeSpan drain, CancellationToken cancellationToken);
}

/// <summary>Makes the connections of one provider. The seam between the Orleans side and the MQTT side.</summary>
internal interface IMqttConnectionFactory
{
    /// <param name="connection">The number of the connection, part of its client id.</param>
    /// <param name="subscriptions">What to subscribe to.</param>
    /// <param name="sink">Where messages go.</param>
    IMqttSession CreateSession(int connection, IReadOnlyList<MqttFilter> subscriptions, IMqttDeliverySink sink);

    IMqttPublisher CreatePublisher();

    /// <summary>Makes the connection for dead letters: of its own, so that a flood of them delays no command.</summary>
    IMqttPublisher CreateDeadLetterPublisher() => CreatePublisher();
}
