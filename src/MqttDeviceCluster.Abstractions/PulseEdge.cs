namespace MqttDeviceCluster;

/// <summary>Which edge of a pulse confirms it.</summary>
public enum PulseEdge
{
    /// <summary>The first edge: the pin was seen in the asked state.</summary>
    First = 0,

    /// <summary>
    /// The way back: the pin was seen in the inverse state, for firmware that reports only that. The length of the
    /// longest pulse is added to the timeout.
    /// </summary>
    Return = 1,

    /// <summary>Whichever edge is seen. The length of the longest pulse is added to the timeout.</summary>
    Either = 2,
}
