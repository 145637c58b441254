namespace MqttDeviceCluster.Simulator.Connection;

/// <summary>What a device needs of its connection.</summary>
internal interface IDeviceUplink
{
    /// <summary>Publishes in the order of the calls, without waiting; away from the broker, the message is lost and counted.</summary>
    void Post(OutgoingMessage message);

    /// <summary>Cuts the connection without a goodbye and stays away.</summary>
    void Drop();

    /// <summary>Connects again after <see cref="Drop"/>, or after a loss that the policy does not heal.</summary>
    Task RestoreAsync(CancellationToken cancellationToken);
}
