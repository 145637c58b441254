namespace MqttDeviceCluster.Silo.Wire;

/// <summary>
/// The connection ended after a command was sent and before the broker answered: it may or may not act. Stand-in until Abstractions
/// has the type that the grain waits on.
/// </summary>
[GenerateSerializer, Alias("MqttDeviceCluster.Silo.PublishUnconfirmedException")]
internal sealed class PublishUnconfirmedException(string deviceId, string reason)
    : Exception($"It is not known whether the broker took the command to device '{deviceId}': {reason}.")
{
    /// <summary>Gets the device.</summary>
    [Id(0)]
    public string DeviceId { get; private set; } = deviceId;
}
