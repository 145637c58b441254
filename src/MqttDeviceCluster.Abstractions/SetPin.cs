namespace MqttDeviceCluster;

/// <summary>Asks for a pin to be put into a state.</summary>
/// <param name="Pin">The pin, 0 or more.</param>
/// <param name="State">The state, <see cref="PinState.Low"/> or <see cref="PinState.High"/>.</param>
/// <param name="Time">
/// Makes it a pulse: the device puts the pin back after this long. More than zero and at most a day; the wire carries whole
/// milliseconds, and a fraction is refused.
/// </param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.SetPin")]
public sealed record SetPin(
    [property: Id(0)] int Pin,
    [property: Id(1)] PinState State,
    [property: Id(2)] TimeSpan? Time = null);
