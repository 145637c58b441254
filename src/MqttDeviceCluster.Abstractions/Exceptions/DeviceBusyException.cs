namespace MqttDeviceCluster;

/// <summary>The device's command line is full. Nothing was published; try again later.</summary>
[GenerateSerializer, Alias("MqttDeviceCluster.DeviceBusyException")]
public sealed class DeviceBusyException : DeviceClusterException
{
    /// <summary>Creates the exception for a line that already holds <paramref name="waiting"/> commands.</summary>
    public DeviceBusyException(string deviceId, int waiting)
        : base(deviceId, $"Device '{deviceId}' has {waiting} commands in line already; nothing was sent.") => Waiting = waiting;

    /// <summary>Gets how many commands stood in line.</summary>
    [Id(0)]
    public int Waiting { get; private set; }
}
