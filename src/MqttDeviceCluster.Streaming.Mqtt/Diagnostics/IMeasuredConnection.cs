namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>What a connection is in the metrics. The names are metric tags.</summary>
internal enum MeasuredState
{
    /// <summary>Connecting, or waiting to try again.</summary>
    Connecting,

    /// <summary>Connected, and in use.</summary>
    Online,

    /// <summary>Connected, and the broker does not answer: nothing is published.</summary>
    Stalled,

    /// <summary>Another silo took the session over.</summary>
    Fenced,
}

/// <summary>A connection, as <see cref="MqttStreamMetrics"/> sees it. Read from any thread.</summary>
internal interface IMeasuredConnection
{
    string Role { get; }

    /// <summary>Gets whether it was started, and not stopped.</summary>
    bool IsHeld { get; }

    MeasuredState MeasuredState { get; }

    /// <summary>Gets how many received QoS 1 messages are not acknowledged yet.</summary>
    int Unacknowledged { get; }

    /// <summary>Gets how many may be.</summary>
    int ReceiveWindow { get; }

    /// <summary>Gets whether it is for publishing.</summary>
    bool Publishes { get; }

    /// <summary>Gets how many messages wait to be sent or answered.</summary>
    int PendingPublishes { get; }
}
