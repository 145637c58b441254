namespace MqttDeviceCluster;

/// <summary>How a <see cref="CommandResult"/> is known.</summary>
public enum Evidence
{
    /// <summary>The broker took the command. No confirmation was asked for, and nothing is known of the device.</summary>
    Published = 0,

    /// <summary>Matching updates arrived after the command was published. A coincidence is possible.</summary>
    Observed = 1,

    /// <summary>The device returned the command's id with every asked pin: exactly this command was confirmed.</summary>
    Echoed = 2,
}
