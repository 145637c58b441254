namespace MqttDeviceCluster;

/// <summary>The base of the errors that a device call can end with, apart from time-outs, bad arguments and cancellation.</summary>
[GenerateSerializer, Alias("MqttDeviceCluster.DeviceClusterException")]
public abstract class DeviceClusterException : Exception
{
    private protected DeviceClusterException(string deviceId, string message, Exception? innerException = null)
        : base(message, innerException) => DeviceId = deviceId;

    /// <summary>Gets the device.</summary>
    [Id(0)]
    public string DeviceId { get; private set; }
}
