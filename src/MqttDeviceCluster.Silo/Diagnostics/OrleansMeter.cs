namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>Which of Orleans' instruments are worth their storage beside our own: about twenty of more than a hundred. The names and units are Orleans'.</summary>
internal static class OrleansMeter
{
    /// <summary>Orleans' meter, for <c>AddMeter</c>, with a view that drops what is not in <see cref="Useful"/>.</summary>
    public const string Name = "Microsoft.Orleans";

    /// <summary>The instruments to keep.</summary>
    public static IReadOnlySet<string> Useful { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        // Calls between silos and clients.
        "orleans-app-requests-latency",
        "orleans-app-requests-timedout",
        "orleans-gateway-connected-clients",
        "orleans-gateway-load-shedding",
        "orleans-messaging-expired",
        "orleans-messaging-rejected",
        "orleans-messaging-sent-dropped",
        "orleans-messaging-sent-failed",

        // Activations.
        "orleans-catalog-activations",
        "orleans-catalog-activation-created",
        "orleans-catalog-activation-destroyed",
        "orleans-catalog-activation-failed-to-activate",

        // The health of the cluster and of the process.
        "orleans-messaging-pings-reply-missed",
        "orleans-scheduler-long-running-turns",
        "orleans-watchdog-health-checks-failed",

        // Storage, as the grains see it, whatever the store.
        "orleans-storage-read-latency",
        "orleans-storage-read-errors",
        "orleans-storage-write-latency",
        "orleans-storage-write-errors",
    };
}
