using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>Decides whether an update is late or repeated, from the boot and number that some devices send.</summary>
/// <remarks>
/// <para>An update that lacks either is taken in the order of its arrival and leaves the marks alone: there is nothing to order it by.</para>
/// <para>Within one boot, a lower or equal number is late. The boot before is remembered with its number too, so that what a broker sends again
/// across a restart of the device stays late. Any other boot is new, also a lower one: a boot counter starts over when
/// firmware is flashed or its memory erased, and a device whose updates were ignored until the counter caught up would be a door
/// that nobody can see move. The price is that a first-time message of an older boot counts, until the next update corrects it.</para>
/// </remarks>
internal static class UpdateOrder
{
    public static bool IsLate(DeviceState state, DeviceUpdate update) =>
        update is { Boot: { } boot, Seq: { } seq }
        && ((boot == state.Boot && seq <= state.Seq) || (boot == state.PreviousBoot && seq <= state.PreviousSeq));

    /// <summary>Returns <paramref name="state"/> with the marks of an update that is not late.</summary>
    public static DeviceState Advance(DeviceState state, DeviceUpdate update)
    {
        if (update is not { Boot: { } boot, Seq: { } seq })
        {
            return state;
        }

        return boot == state.Boot
            ? state with { Seq = seq }
            : state with { Boot = boot, Seq = seq, PreviousBoot = state.Boot, PreviousSeq = state.Seq };
    }
}
