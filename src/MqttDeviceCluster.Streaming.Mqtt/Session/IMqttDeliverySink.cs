namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Takes what a session receives. Calls never overlap and come in order.</summary>
internal interface IMqttDeliverySink
{
    /// <summary>
    /// A connection is up, and nothing was received on it yet. With <paramref name="sessionPresent"/> the broker sends again whatever was not
    /// acknowledged, so undelivered messages of earlier epochs are to be forgotten; without it they will never come again.
    /// </summary>
    void OnConnected(long epoch, bool sessionPresent);

    /// <summary>A message arrived. Called on the receive path: it must be quick. The session reads no further until it returns.</summary>
    void OnDelivery(MqttDelivery delivery);

    /// <summary>
    /// The session belongs to someone else now: undelivered messages of <paramref name="epoch"/> are to be forgotten, and none may be delivered
    /// until the next <see cref="OnConnected"/>.
    /// </summary>
    void OnFenced(long epoch);
}
