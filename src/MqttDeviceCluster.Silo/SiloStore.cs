using MqttDeviceCluster.Storage;

namespace MqttDeviceCluster.Silo;

/// <summary>The silo's store as its provider sees it. One that does not say how it is holds nothing back.</summary>
internal sealed class SiloStore(IGrainStorageStatus? storage) : IDeviceStore
{
    public bool IsFailing => storage?.IsFailing == true;
}
