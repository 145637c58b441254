using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>Short names for what devices send.</summary>
internal static class Updates
{
    public static PinReading Reading(int pin, PinState? state = null, PinMode? mode = null) => new(pin, mode, state);

    public static DeviceUpdate Of(params PinReading[] pins) => new(TestClock.Noon, Retained: false, [.. pins]);

    /// <summary>Applies an update to an empty state and returns what those who wait are shown.</summary>
    public static ObservedUpdate Observed(DeviceUpdate update, DeviceState? state = null) =>
        DeviceStateUpdater.Apply(state ?? new(), update, maxPins: 1024).Observed;
}
