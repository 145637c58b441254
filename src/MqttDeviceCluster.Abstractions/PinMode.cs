namespace MqttDeviceCluster;

/// <summary>The mode of a pin. The numbers are the ones on the wire; a number without a name here is kept, not refused.</summary>
public enum PinMode
{
    /// <summary>The pin is switched off.</summary>
    Disabled = -1,

    /// <summary>A floating input.</summary>
    Input = 1,

    /// <summary>An output.</summary>
    Output = 3,

    /// <summary>The pull-up resistor alone (later firmware).</summary>
    PullUp = 4,

    /// <summary>An input with its pull-up resistor on.</summary>
    InputPullUp = 5,

    /// <summary>The pull-down resistor alone (later firmware).</summary>
    PullDown = 8,

    /// <summary>An input with its pull-down resistor on.</summary>
    InputPullDown = 9,

    /// <summary>Open drain alone (later firmware).</summary>
    OpenDrain = 16,

    /// <summary>An open-drain output (later firmware).</summary>
    OutputOpenDrain = 19,

    /// <summary>An analog pin (later firmware).</summary>
    Analog = 192,
}
