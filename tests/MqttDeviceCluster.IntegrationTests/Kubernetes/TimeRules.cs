using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.Hosting;
using Orleans.Configuration;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What must hold of the times of a silo's start, stop and rollout: who waits for something waits longer than it may take.</summary>
internal static class TimeRules
{
    /// <summary>The least that is left after the longest orderly stop until the kubelet kills.</summary>
    private static readonly TimeSpan LeastGraceLeft = TimeSpan.FromSeconds(10);

    /// <summary>What a silo's start may take when nothing is said of it, by the host that is composed as it composes itself.</summary>
    private static readonly Lazy<(TimeSpan DatabaseWait, TimeSpan BeforeJoining, TimeSpan Joining)> Start = new(static () =>
    {
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse([]));
        var settings = SiloSettings.From(builder.Configuration, "/");
        SiloComposition.AddSilo(builder, settings);
        using var services = builder.Services.BuildServiceProvider();
        var membership = services.GetRequiredService<IOptions<ClusterMembershipOptions>>().Value;
        return (settings.DatabaseWait, BrokerBeforeJoining.LimitOf(membership), membership.MaxJoinAttemptTime);
    });

    public static IEnumerable<string> Check(Manifests manifests)
    {
        var (pod, deployment) = (manifests.Silo.Spec.Template.Spec, manifests.Silo.Spec);
        var container = pod.Containers.Single();
        var settings = SettingRules.SettingsOf(manifests);
        var grace = TimeSpan.FromSeconds(pod.TerminationGracePeriodSeconds ?? 30);
        var before = TimeSpan.FromSeconds(container.Lifecycle?.PreStop?.Sleep?.Seconds ?? 0);
        if (grace < before + SiloComposition.ShutdownTimeout + TelemetryShutdown.Timeout + LeastGraceLeft)
        {
            yield return $"The grace of {grace.TotalSeconds} s does not cover an orderly stop, which may take {(SiloComposition.ShutdownTimeout + TelemetryShutdown.Timeout).TotalSeconds} s after {before.TotalSeconds} s.";
        }

        // Long enough for what turns away by readiness: one period of its probe that fails as often as it must.
        if (!TimeSpan.TryParse(settings["Shutdown:DrainDelay"], CultureInfo.InvariantCulture, out var drain) || drain < TimeSpan.FromSeconds(1) || drain > SiloComposition.ShutdownTimeout / 2)
        {
            yield return $"The drain delay of {drain} is none, or leaves no time for the stop.";
        }

        // Each longer than the one before: the databases, all that comes before joining, what the others give a start, and the kubelet's patience.
        var databases = TimeSpan.TryParse(settings["Startup:DatabaseWait"], CultureInfo.InvariantCulture, out var configured) ? configured : Start.Value.DatabaseWait;
        if (databases >= Start.Value.BeforeJoining)
        {
            yield return $"A start may wait {databases} for databases, and is to join within {Start.Value.BeforeJoining}.";
        }

        var startup = container.StartupProbe is { } probe
            ? TimeSpan.FromSeconds((probe.InitialDelaySeconds ?? 0) + ((probe.PeriodSeconds ?? 10) * (probe.FailureThreshold ?? 3)))
            : TimeSpan.Zero;
        if (startup <= Start.Value.Joining)
        {
            yield return $"The startup probe gives up after {startup}, while the silo still tries to join.";
        }

        if (TimeSpan.FromSeconds(deployment.ProgressDeadlineSeconds ?? 600) <= startup)
        {
            yield return "A rollout is given up while a silo still starts.";
        }

        if (deployment.Strategy is not { Type: "RollingUpdate", RollingUpdate: { MaxUnavailable.Value: "0", MaxSurge.Value: "1" } })
        {
            yield return "A rollout takes more than one silo at a time.";
        }
    }
}
