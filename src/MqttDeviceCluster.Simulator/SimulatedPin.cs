namespace MqttDeviceCluster.Simulator;

/// <summary>A pin of a simulated device, in the numbers of the wire.</summary>
/// <param name="Pin">The pin.</param>
/// <param name="Mode">The mode: -1 disabled, 1 input, 3 output, 5 input with pull-up, 9 input with pull-down, or any other number.</param>
/// <param name="State">The state: 0 low, 1 high, or any number for an analog pin.</param>
public readonly record struct SimulatedPin(int Pin, int Mode, int State);
