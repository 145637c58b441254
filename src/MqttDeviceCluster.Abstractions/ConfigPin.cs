namespace MqttDeviceCluster;

/// <summary>Asks for a pin to be put into a mode.</summary>
/// <param name="Pin">The pin, 0 or more.</param>
/// <param name="Mode">The mode. Only the named modes are sent.</param>
/// <param name="State">The state to start in; <see langword="null"/> leaves that to the device.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.ConfigPin")]
public sealed record ConfigPin(
    [property: Id(0)] int Pin,
    [property: Id(1)] PinMode Mode,
    [property: Id(2)] PinState? State = null);
