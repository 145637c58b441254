using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Provider;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>What no test brings about in one live silo: each failure, reason and outcome that there is, measured with the instruments themselves.</summary>
internal static class PossibleValues
{
    private static readonly Exception[] Failures =
    [
        new DeviceTimeoutException("d", TimeSpan.Zero, [], true),
        new DeviceBusyException("d", 64),
        new DeviceOfflineException("d"),
        new BrokerUnavailableException("d", "away", false),
        new DeviceInterruptedException("d", "stopping", false),
        new OperationCanceledException(),
        new ArgumentException("bad"),
        new IOException(),
    ];

    public static async Task<IReadOnlyList<LiveInstrument>> CollectAsync()
    {
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var meters = services.GetRequiredService<IMeterFactory>();
        ConcurrentDictionary<Instrument, LiveInstrument> instruments = new();
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == meters)
            {
                instruments.TryAdd(instrument, new(instrument));
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => instruments[instrument].Note(tags));
        listener.Start();

        DeviceMetrics devices = new(meters, new(), new());
        await MeasureCommandsAsync(devices);
        MeasurePresence(devices);
        MeasureMessages(new(meters, "mqtt"));
        await MeasureStorageAsync(new(meters));
        return [.. instruments.Values];
    }

    private static async Task MeasureCommandsAsync(DeviceMetrics metrics)
    {
        foreach (var kind in (string[])["config", "set", "update", "wait"])
        {
            foreach (var failure in Failures)
            {
                Assert.NotNull(await Record.ExceptionAsync(() => metrics.MeasureAsync<int>(kind, static _ => "", () => Task.FromException<int>(failure))));
            }
        }
    }

    private static void MeasurePresence(DeviceMetrics metrics)
    {
        foreach (var presence in Enum.GetValues<Presence>())
        {
            Array.ForEach(Enum.GetValues<PresenceReason>(), reason => metrics.PresenceChanged(new(), new() { Presence = (int)presence, PresenceReason = (int)reason }));
        }
    }

    private static void MeasureMessages(MqttStreamMetrics metrics)
    {
        foreach (var role in (string[])["receive", "publish", "dead letters"])
        {
            Array.ForEach(Enum.GetValues<MqttConnectFailure>(), reason => metrics.Reconnecting(role, reason));
            Array.ForEach(Enum.GetValues<MqttLinkEndCause>(), reason => metrics.Reconnecting(role, reason));
        }

        Array.ForEach(Enum.GetValues<MqttPublishOutcome>(), outcome => metrics.MessagePublished(outcome, TimeSpan.Zero));
        foreach (var reason in ConstantsOf(typeof(MqttRefusal)).Concat(ConstantsOf(typeof(WireRefusals))))
        {
            metrics.MessageRefused(reason, 1);
        }

        foreach (var reason in ConstantsOf(typeof(MqttRefusal)))
        {
            metrics.MessageDeadLettered(reason);
        }
    }

    private static async Task MeasureStorageAsync(GrainStorageMetrics metrics)
    {
        await using GrainStorageHealth health = new("Default", new NoStore(), metrics, NullLogger.Instance, TimeProvider.System);
        Array.ForEach(Enum.GetValues<StoreOperation>(), operation => health.OnFailure(operation, new IOException()));
        foreach (var outcome in ConstantsOf(typeof(GrainStorageMetrics)))
        {
            metrics.OnOperation("Default", "write", outcome);
        }
    }

    private static IEnumerable<string> ConstantsOf(Type type) =>
        type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic).Where(static field => field.IsLiteral).Select(static field => (string)field.GetRawConstantValue()!);

    private sealed class NoStore : IProbedStore
    {
        public string Location => "nowhere";

        public Task ProbeWriteAsync() => Task.CompletedTask;

        public Task ProbeReadAsync() => Task.CompletedTask;

        public string Explain(Exception cause) => "it is not there";

        public bool IsAway(Exception cause) => false;
    }
}
