namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Takes what a connection receives. Calls never overlap.</summary>
internal interface IMqttLinkReceiver
{
    /// <summary>A PUBLISH; <paramref name="packetId"/> is 0 for QoS 0. The connection reads no further until it returns.</summary>
    void OnPublish(MqttIncomingMessage message, ushort packetId);

    /// <summary>A PUBACK.</summary>
    void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason);

    /// <summary>
    /// Asked after each PUBLISH: <see langword="null"/> to read on, or what to wait for before. Meanwhile the broker's bytes wait in the socket, and then with the broker.
    /// </summary>
    Task? Pause() => null;
}

/// <summary>Has messages to publish. Asked by the connection, one call at a time, when it can write.</summary>
internal interface IMqttPublishSource
{
    /// <summary>Gives the next message, right before it is written: from now on its fate is bound to the connection.</summary>
    bool TryTake(out MqttLinkPublish publish);

    /// <summary>The oldest QoS 0 message that was taken and not reported yet is in the socket.</summary>
    void OnWritten();
}

/// <summary>A PUBLISH to write.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Message">The message.</param>
/// <param name="PacketId">Its packet id; 0 for QoS 0.</param>
/// <param name="ExpirySeconds">The Message Expiry Interval; 0 for none.</param>
/// <param name="TraceParent">The W3C trace context to add, if any.</param>
/// <param name="TraceState">The W3C trace state to add, if any.</param>
internal readonly record struct MqttLinkPublish(
    string Topic, MqttOutgoingMessage Message, ushort PacketId, uint ExpirySeconds, string? TraceParent, string? TraceState);

/// <summary>A topic filter to subscribe.</summary>
/// <param name="Filter">The topic filter.</param>
/// <param name="QualityOfService">The highest quality of service to deliver with.</param>
internal readonly record struct MqttFilter(string Filter, MqttQualityOfService QualityOfService);
