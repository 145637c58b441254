namespace MqttDeviceCluster.Streams;

/// <summary>One element of an update.</summary>
/// <param name="Pin">The pin.</param>
/// <param name="Mode">The mode, when named.</param>
/// <param name="State">The state, when named.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.PinReading")]
public readonly record struct PinReading(
    [property: Id(0)] int Pin,
    [property: Id(1)] PinMode? Mode,
    [property: Id(2)] PinState? State);
