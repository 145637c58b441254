using System.Collections.Immutable;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>One pin of an update: what the device said, and what is known of the pin with it.</summary>
internal readonly record struct ObservedPin(PinReading Reading, PinUpdate Known);

/// <summary>What an update amounts to for those who wait.</summary>
/// <param name="CommandId">The command that the device echoed.</param>
/// <param name="Pins">The pins, in the order the device named them.</param>
internal readonly record struct ObservedUpdate(Guid? CommandId, ImmutableArray<ObservedPin> Pins);

/// <summary>What came of applying an update.</summary>
/// <param name="State">The state with it.</param>
/// <param name="Late">Whether it was late or repeated; then nothing changed and nothing may be concluded from it.</param>
/// <param name="Changed">Whether anything changed that must be stored before the update is acknowledged.</param>
/// <param name="RefusedPins">How many readings were refused, because of the limit or a negative number.</param>
/// <param name="Observed">What those who wait may match.</param>
internal readonly record struct AppliedUpdate(DeviceState State, bool Late, bool Changed, int RefusedPins, ObservedUpdate Observed);
