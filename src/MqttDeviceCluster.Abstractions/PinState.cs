namespace MqttDeviceCluster;

/// <summary>The state of a pin. A device may report a number without a name here (an analog value): it is kept.</summary>
public enum PinState
{
    /// <summary>Low, 0.</summary>
    Low = 0,

    /// <summary>High, 1.</summary>
    High = 1,
}
