namespace MqttDeviceCluster.Cli.Output;

/// <summary>The names of presences, their reasons, and of gaps.</summary>
internal static class PresenceWords
{
    public static string Word(Presence presence) => presence switch
    {
        Presence.Online => "online",
        Presence.Offline => "offline",
        _ => "unknown",
    };

    public static string? Word(PresenceReason reason) => reason switch
    {
        PresenceReason.Birth => "birth",
        PresenceReason.Traffic => "traffic",
        PresenceReason.LastWill => "last-will",
        PresenceReason.Silence => "silence",
        _ => null,
    };

    public static string Word(GapReason reason) => reason switch
    {
        GapReason.SlowWatcher => "slow-watcher",
        GapReason.SiloLost => "silo-lost",
        GapReason.SiloJoined => "silo-joined",
        GapReason.Reconnected => "reconnected",
        GapReason.DeviceInterrupted => "device-interrupted",
        GapReason.UnknownEvent => "unknown-event",
        _ => reason.ToString().ToLowerInvariant(),
    };

    /// <summary>Returns the presence in the form <c>online (birth)</c>.</summary>
    public static string Describe(DevicePresence presence) =>
        Word(presence.Reason) is { } reason ? $"{Word(presence.State)} ({reason})" : Word(presence.State);

    /// <summary>Returns the gap in the form <c>gap (silo-lost), 12 missed</c>.</summary>
    public static string Describe(GapEvent gap) => gap.Missed is { } missed
        ? FormattableString.Invariant($"gap ({Word(gap.Reason)}), {missed} missed")
        : $"gap ({Word(gap.Reason)})";
}
