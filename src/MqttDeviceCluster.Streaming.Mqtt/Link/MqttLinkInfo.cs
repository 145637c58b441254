namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>What the broker said in CONNACK.</summary>
/// <param name="SessionPresent">Whether it kept the session of this client id.</param>
/// <param name="ReceiveMaximum">How many QoS 1 messages we may have in flight: 1 to 65535.</param>
/// <param name="MaximumPacketSize">The largest packet it takes, in bytes; 0 for no limit.</param>
/// <param name="MaximumQoS">The highest quality of service it takes: 0, 1 or 2.</param>
/// <param name="RetainAvailable">Whether it keeps retained messages.</param>
/// <param name="SharedSubscriptionAvailable">Whether it has shared subscriptions.</param>
/// <param name="KeepAlive">The keep-alive in force: the broker's if it named a shorter one, else ours.</param>
/// <param name="SessionExpiry">The session expiry in force, or <see langword="null"/> if it is the one asked for.</param>
/// <param name="ClientId">The client id in force: the assigned one, or ours.</param>
internal sealed record MqttLinkInfo(
    bool SessionPresent,
    int ReceiveMaximum,
    uint MaximumPacketSize,
    int MaximumQoS,
    bool RetainAvailable,
    bool SharedSubscriptionAvailable,
    TimeSpan KeepAlive,
    TimeSpan? SessionExpiry,
    string ClientId);
