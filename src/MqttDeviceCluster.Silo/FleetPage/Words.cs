namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>What enumerations are called in the page's JSON.</summary>
internal static class Words
{
    public static string Of(Presence presence) => presence switch
    {
        Presence.Online => "online",
        Presence.Offline => "offline",
        _ => "unknown",
    };

    public static string Of(PresenceReason reason) => reason switch
    {
        PresenceReason.Birth => "birth",
        PresenceReason.Traffic => "traffic",
        PresenceReason.LastWill => "last-will",
        PresenceReason.Silence => "silence",
        _ => "none",
    };

    public static string Of(Evidence evidence) => evidence switch
    {
        Evidence.Echoed => "echoed",
        Evidence.Observed => "observed",
        _ => "published",
    };
}
