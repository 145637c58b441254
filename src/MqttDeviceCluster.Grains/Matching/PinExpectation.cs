using System.Collections.Immutable;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>What must be seen of one asked pin. Parts that are <see langword="null"/> do not matter.</summary>
/// <param name="Pin">The pin.</param>
/// <param name="Mode">The mode.</param>
/// <param name="State">The state.</param>
/// <param name="OrState">Another state that does as well, for a pulse that either edge confirms.</param>
/// <param name="IsPulse">Whether the pin was given a pulse of which an echo may report either edge.</param>
internal readonly record struct PinExpectation(int Pin, PinMode? Mode = null, PinState? State = null, PinState? OrState = null, bool IsPulse = false)
{
    /// <summary>
    /// Returns whether the device itself said what is asked: what was known before does not count. An echo of the command settles which
    /// command a pulse's edge belongs to, so then either edge does, unless the caller asked for the way back: that is to be seen.
    /// </summary>
    public bool IsMetBy(in PinReading reading, bool echoed) =>
        reading.Pin == Pin
        && (Mode is null || reading.Mode == Mode)
        && (State is null
            || reading.State == State
            || (OrState is not null && reading.State == OrState)
            || (echoed && IsPulse && reading.State is (PinState.Low or PinState.High)));

    public static ImmutableArray<PinExpectation> For(ImmutableArray<ConfigPin> pins) =>
        ImmutableArray.CreateRange(pins, static pin => new PinExpectation(pin.Pin, pin.Mode));

    public static ImmutableArray<PinExpectation> For(ImmutableArray<int> pins) =>
        ImmutableArray.CreateRange(pins, static pin => new PinExpectation(pin));

    public static ImmutableArray<PinExpectation> For(ImmutableArray<SetPin> pins, PulseEdge edge) =>
        ImmutableArray.CreateRange(pins, static (pin, edge) => For(pin, edge), edge);

    private static PinExpectation For(SetPin pin, PulseEdge edge)
    {
        if (pin.Time is null)
        {
            return new(pin.Pin, State: pin.State);
        }

        var inverse = pin.State == PinState.Low ? PinState.High : PinState.Low;
        return edge switch
        {
            PulseEdge.Return => new(pin.Pin, State: inverse),
            PulseEdge.Either => new(pin.Pin, State: pin.State, OrState: inverse, IsPulse: true),
            _ => new(pin.Pin, State: pin.State, IsPulse: true),
        };
    }
}
