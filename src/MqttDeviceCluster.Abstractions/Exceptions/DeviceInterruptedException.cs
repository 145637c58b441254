namespace MqttDeviceCluster;

/// <summary>
/// The call was cut short on the service's side: its silo is stopping, was paused or is cut off, the device's activation moved, or the link to the
/// broker was lost in the middle of the publish. Whether a command took effect is unknown, unless <see cref="Published"/> is
/// <see langword="false"/>. Calling again reaches another activation.
/// </summary>
/// <remarks>
/// An encoder of commands throws it from <c>OnNextAsync</c>, with <c>published: true</c>, when the connection ended after the command was
/// written and before the broker answered. The grain then goes on waiting for the device when a confirmation was asked for,
/// and hands the exception to the caller when none was. With <c>published: false</c> it reaches the caller in any case.
/// </remarks>
[GenerateSerializer, Alias("MqttDeviceCluster.DeviceInterruptedException")]
public sealed class DeviceInterruptedException : DeviceClusterException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="deviceId">The device.</param>
    /// <param name="reason">One phrase for people: what came between.</param>
    /// <param name="published">Whether a command was, or may have been, given to the broker.</param>
    /// <param name="innerException">What told so, where it was another exception.</param>
    public DeviceInterruptedException(string deviceId, string reason, bool published, Exception? innerException = null)
        : base(deviceId, published
            ? $"The call to device '{deviceId}' was cut short: {reason}. Whether the device got the command is unknown."
            : $"The call to device '{deviceId}' was cut short: {reason}. Nothing was sent.",
            innerException)
    {
        Reason = reason;
        Published = published;
    }

    /// <summary>Gets what came between.</summary>
    [Id(0)]
    public string Reason { get; private set; }

    /// <summary>Gets whether a command was, or may have been, given to the broker. <see langword="false"/> for a wait.</summary>
    [Id(1)]
    public bool Published { get; private set; }
}
