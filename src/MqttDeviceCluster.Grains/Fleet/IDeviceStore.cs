namespace MqttDeviceCluster;

/// <summary>How this silo's store of device states is. A host registers one, so that the silo that delivers to devices on this one knows why it fails.</summary>
public interface IDeviceStore
{
    /// <summary>Gets whether states cannot be read or written at the moment, whatever the device. Called often: it must be cheap and thread-safe.</summary>
    bool IsFailing { get; }
}
