using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>What a device's messages, and its silence, say of its presence.</summary>
/// <remarks>
/// A last will speaks for the boot that left it. It comes when the broker notices, which may be after the device is back, so a will of a boot that the
/// device is known to have left says nothing. A will without a boot is believed.
/// </remarks>
internal static class PresenceRules
{
    /// <summary>Returns the state after an update: whoever sends is there.</summary>
    /// <remarks>
    /// Not so a retained update, which is old, and not one that the broker sends again to a device that is known to be gone: it may be from before it went.
    /// </remarks>
    public static DeviceState Heard(DeviceState state, DeviceUpdate update)
    {
        var next = FirstHeard(state, update);
        if (update.Retained)
        {
            return next;
        }

        // One that is sent again may be from before the device's last restart.
        if (update is { Boot: { } boot, Seq: not null } && !(update.Redelivered && boot < next.RunningBoot))
        {
            next = Runs(next, boot);
        }

        return next.Presence == (int)Presence.Online || (update.Redelivered && next.Presence == (int)Presence.Offline)
            ? next
            : With(next, Presence.Online, PresenceReason.Traffic, update.ReceivedAt);
    }

    /// <summary>Returns the state after a status message; a retained one counts as well, it is made to be.</summary>
    public static DeviceState Heard(DeviceState state, DeviceStatus status)
    {
        if (IsOutdated(state, status))
        {
            return state;
        }

        var next = FirstHeard(state, status);
        next = next.OffersStatus ? next : next with { OffersStatus = true };
        next = status.Firmware is null || status.Firmware == next.Firmware ? next : next with { Firmware = status.Firmware };
        if (!status.Online)
        {
            return next.Presence == (int)Presence.Offline ? next : With(next, Presence.Offline, PresenceReason.LastWill, status.ReceivedAt);
        }

        next = status.Boot is { } boot ? Runs(next, boot) : next;
        return next.Presence != (int)Presence.Online ? With(next, Presence.Online, PresenceReason.Birth, status.ReceivedAt)
            : next.PresenceReason != (int)PresenceReason.Birth ? next with { PresenceReason = (int)PresenceReason.Birth }
            : next;
    }

    /// <summary>Returns whether a status is the last will of a boot that the device has left.</summary>
    public static bool IsOutdated(DeviceState state, DeviceStatus status) =>
        status is { Online: false, Boot: { } boot } && (boot < state.RunningBoot || (boot == state.FormerBoot && boot != state.RunningBoot));

    /// <summary>Returns when a device that is online counts as offline if nothing more comes; <see langword="null"/> if it never does.</summary>
    /// <param name="state">The device.</param>
    /// <param name="silence">How long a device without a status may be silent, if that matters.</param>
    /// <param name="listeningSince">Since when the cluster hears what devices send, without a break; <see langword="null"/> while it does not.</param>
    public static DateTimeOffset? SilentAt(DeviceState state, TimeSpan? silence, DateTimeOffset? listeningSince)
    {
        if (state.Presence != (int)Presence.Online || state.OffersStatus || silence is not { } limit || listeningSince is not { } since
            || state.LastSeen is not { } seen)
        {
            return null;
        }

        return (seen > since ? seen : since) + limit;
    }

    /// <summary>Returns the state of a device that was silent for too long.</summary>
    public static DeviceState Silent(DeviceState state, DateTimeOffset since) => With(state, Presence.Offline, PresenceReason.Silence, since);

    private static DeviceState FirstHeard(DeviceState state, DeviceMessage message) =>
        state.FirstSeen is null ? state with { FirstSeen = message.ReceivedAt } : state;

    private static DeviceState Runs(DeviceState state, long boot) =>
        state.RunningBoot == boot ? state : state with { RunningBoot = boot, FormerBoot = state.RunningBoot };

    private static DeviceState With(DeviceState state, Presence presence, PresenceReason reason, DateTimeOffset since) =>
        state with { Presence = (int)presence, PresenceReason = (int)reason, PresenceSince = since };
}
