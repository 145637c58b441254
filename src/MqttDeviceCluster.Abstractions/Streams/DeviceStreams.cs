namespace MqttDeviceCluster.Streams;

/// <summary>
/// The names under which the device grains and the stream provider meet. The key of every stream is the device id.
/// </summary>
public static class DeviceStreams
{
    /// <summary>The name of the stream provider.</summary>
    public const string ProviderName = "mqtt";

    /// <summary>The namespace of what devices send: <see cref="DeviceMessage"/>.</summary>
    public const string Messages = "device.message";

    /// <summary>The namespace of <see cref="ConfigPinsCommand"/>.</summary>
    public const string ConfigPins = "device.config";

    /// <summary>The namespace of <see cref="SetPinsCommand"/>.</summary>
    public const string SetPins = "device.set";

    /// <summary>The namespace of <see cref="UpdateCommand"/>.</summary>
    public const string Update = "device.get";
}
