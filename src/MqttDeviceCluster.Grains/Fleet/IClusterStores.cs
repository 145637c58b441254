namespace MqttDeviceCluster;

/// <summary>How the stores of the cluster's silos are, as <see cref="IDeviceStore"/> tells on each. Registered by <c>AddDeviceGrains</c>.</summary>
public interface IClusterStores
{
    /// <summary>
    /// Gets whether the store of another silo fails: what fails on the way to a device must not be given up meanwhile, since the device may be there. At most some seconds old, and known
    /// only on a silo that listens to devices (<see cref="IDeviceIntake.IsHere"/>). Thread-safe.
    /// </summary>
    bool AnotherFails { get; }
}
