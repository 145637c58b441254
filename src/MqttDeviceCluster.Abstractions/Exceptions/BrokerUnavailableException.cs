namespace MqttDeviceCluster;

/// <summary>The broker is away, or refused the command. The device never saw it.</summary>
[GenerateSerializer, Alias("MqttDeviceCluster.BrokerUnavailableException")]
public sealed class BrokerUnavailableException : DeviceClusterException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="deviceId">The device.</param>
    /// <param name="reason">What the broker said, or how it is away; part of the message.</param>
    /// <param name="refused">Whether the broker answered and refused.</param>
    public BrokerUnavailableException(string deviceId, string reason, bool refused)
        : base(deviceId, refused
            ? $"The broker refused the command to device '{deviceId}': {reason}. Nothing happened."
            : $"The command to device '{deviceId}' could not be sent: {reason}. Nothing happened.")
    {
        Reason = reason;
        Refused = refused;
    }

    /// <summary>Gets what the broker said, or how it is away.</summary>
    [Id(0)]
    public string Reason { get; private set; }

    /// <summary>
    /// Gets whether the broker answered and refused: trying again will not help until its configuration changes. Otherwise it
    /// is away, and a later try may succeed.
    /// </summary>
    [Id(1)]
    public bool Refused { get; private set; }
}
