namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>The state of one of a provider's connections.</summary>
public enum MqttConnectionState
{
    /// <summary>This silo does not hold the connection: no queue of it is here, or it was stopped.</summary>
    Stopped = 0,

    /// <summary>Connecting, or waiting to try again.</summary>
    Connecting = 1,

    /// <summary>Connected and subscribed.</summary>
    Online = 2,

    /// <summary>Another silo took the session over; waiting to see who owns it.</summary>
    Fenced = 3,
}

/// <summary>What a provider's connections are doing on this silo. A keyed service under the provider's name.</summary>
public interface IMqttStreamStatus
{
    /// <summary>Gets the state of the connections that receive: the worst of those held here, or <see cref="MqttConnectionState.Stopped"/> if none is.</summary>
    MqttConnectionState Receiving { get; }

    /// <summary>
    /// Gets since when every connection that receives and is held here is online without a break (UTC), or <see langword="null"/> while one is not, or none is held.
    /// </summary>
    DateTimeOffset? ReceivingSince { get; }

    /// <summary>Gets the state of the connection that publishes. It is opened when the silo starts.</summary>
    MqttConnectionState Publishing { get; }

    /// <summary>Gets whether the connection that publishes has been online since the silo started, also if it is not now.</summary>
    bool WasPublishing { get; }

    /// <summary>Gets why a connection is not online, in one sentence without secrets, or <see langword="null"/>.</summary>
    string? Problem { get; }

    /// <summary>Gets how many received QoS 1 messages are not acknowledged yet.</summary>
    int Unacknowledged { get; }
}
