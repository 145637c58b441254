using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Silo;

/// <summary>
/// While the store fails, it fails for every device: updates wait at the broker, and none is dead-lettered for it. A store that does not say how it is
/// holds nothing back.
/// </summary>
internal sealed class StorageDeliveryGate(IGrainStorageStatus? storage) : IMqttDeliveryGate
{
    public bool HoldFailures => storage?.IsFailing ?? false;
}
