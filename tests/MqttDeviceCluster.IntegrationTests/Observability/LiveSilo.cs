using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.IntegrationTests.Observability;

/// <summary>The silo as it ships, in this process and with everything embedded, that has done work of every kind, and its instruments as a listener sees them.</summary>
public sealed class LiveSilo : IAsyncLifetime
{
    private const string Good = "7A0B0C0D0E01";
    private const string Silent = "7A0B0C0D0E02";
    private const string Bad = "7A0B0C0D0E03";
    private const string Unreadable = "7A0B0C0D0E04";
    private const string Nobody = "7A0B0C0D0E05";
    private const string Many = "7A0B0C0D1F";
    private const string RuntimeMeter = "System.Runtime";
    private const string ServiceId = "live-metrics";
    private const string DeadLetterTopic = "live-metrics-dead-letters";

    private readonly string _dataDirectory = Directory.CreateTempSubdirectory("mdc-live-").FullName;
    private readonly int _brokerPort = FreePorts.Next();
    private readonly ConcurrentDictionary<Instrument, LiveInstrument> _instruments = new();
    private readonly MeterListener _listener = new();
    private readonly DeviceFaults _faults = new();
    private readonly LogLines _log = new();
    private WebApplication _app = null!;

    /// <summary>Gets what must be in no attribute: ids, topics and payloads of the devices that were at work.</summary>
    public static IReadOnlyList<string> Secrets { get; } = [Good, Silent, Bad, Unreadable, Nobody, Many, "device/", DeadLetterTopic, "[{", "not json", "raw-"];

    /// <summary>Gets the instruments of this service.</summary>
    internal IReadOnlyList<LiveInstrument> Own => [.. _instruments.Values.Where(static i => SiloInstruments.Meters.Contains(i.Meter)).OrderBy(static i => i.Name, StringComparer.Ordinal)];

    /// <summary>Gets those of Orleans.</summary>
    internal IReadOnlyList<LiveInstrument> Orleans => [.. _instruments.Values.Where(static i => i.Meter == OrleansMeter.Name)];

    /// <summary>Gets those of the runtime.</summary>
    internal IReadOnlyList<LiveInstrument> Runtime => [.. _instruments.Values.Where(static i => i.Meter == RuntimeMeter)];

    /// <summary>Gets what was logged while the store failed for a hundred devices.</summary>
    internal IReadOnlyList<string> StoreFailureLog { get; private set; } = [];

    private IDeviceCluster Cluster => _app.Services.GetRequiredService<IDeviceCluster>();

    private IMqttStreamStatus Status => _app.Services.GetRequiredKeyedService<IMqttStreamStatus>(DeviceStreams.ProviderName);

    public async ValueTask InitializeAsync()
    {
        _app = Build();
        Listen(_app.Services.GetRequiredService<IMeterFactory>());
        await _app.StartAsync();
        await Until.TrueAsync(() => (Status.Receiving, Status.Publishing) == (MqttConnectionState.Online, MqttConnectionState.Online), "both connections");

        using var device = await ConnectAsync("raw-device");
        device.ApplicationMessageReceivedAsync += message => message.ApplicationMessage.Topic.StartsWith($"device/{Good}/", StringComparison.Ordinal)
            ? device.PublishStringAsync($"device/{Good}/pin/update", """[{"pin":13,"mode":3,"state":1}]""", MqttQualityOfServiceLevel.AtLeastOnce)
            : Task.CompletedTask;
        await device.SubscribeAsync($"device/{Good}/pin/+", MqttQualityOfServiceLevel.AtLeastOnce);
        await device.SubscribeAsync($"device/{Silent}/pin/+", MqttQualityOfServiceLevel.AtLeastOnce);

        await CommandAsync();
        await ReportAsync(device);
        await FailAsync(device);
        await FailStoreAsync(device);
        await LoseSessionAsync();

        await Until.TrueAsync(
            () =>
            {
                _listener.RecordObservableInstruments();
                return Own.Where(static i => i.Name == DeviceInstruments.DevicesOnline).All(static i => i.WasMeasured);
            },
            "the devices to be counted");
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        Directory.Delete(_dataDirectory, recursive: true);
    }

    private WebApplication Build()
    {
        var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse(
        [
            string.Create(CultureInfo.InvariantCulture, $"--EmbeddedBroker:Port={_brokerPort}"),
            $"--Orleans:Endpoints:SiloPort={FreePorts.Next()}",
            $"--Orleans:Endpoints:GatewayPort={FreePorts.Next()}",
            $"--Orleans:ServiceId={ServiceId}",
            $"--Urls=http://127.0.0.1:{FreePorts.Next()}",
            $"--DataDirectory={_dataDirectory}",
            $"--Mqtt:DeadLetterTopic={DeadLetterTopic}",
            "--Mqtt:ReceiveMaximum=4",
            "--Mqtt:MaxPendingAtMostOnce=1",
            "--Mqtt:MaxDeliveryTime=00:00:01",
        ]));
        SiloComposition.AddSilo(builder, SiloSettings.From(builder.Configuration, _dataDirectory));
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(_log);
        builder.Services.AddSingleton<IIncomingGrainCallFilter>(_faults);
        return builder.Build();
    }

    private void Listen(IMeterFactory scope)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // The meters of Orleans and of the runtime belong to the process.
            if (instrument.Meter.Scope == scope || instrument.Meter.Name is OrleansMeter.Name or RuntimeMeter)
            {
                _instruments.TryAdd(instrument, new(instrument));
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((instrument, _, tags, _) => Note(instrument, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Note(instrument, tags));
        _listener.Start();

        void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags) => _instruments[instrument].Note(tags);
    }

    private async Task<IMqttClient> ConnectAsync(string clientId, bool cleanStart = true)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        await client.ConnectAsync(new MqttClientOptionsBuilder()
            .WithTcpServer("127.0.0.1", _brokerPort).WithProtocolVersion(MqttProtocolVersion.V500).WithClientId(clientId).WithCleanStart(cleanStart).Build());
        return client;
    }

    /// <summary>Commands that are confirmed, that are not, and that do not even get to the broker.</summary>
    private async Task CommandAsync()
    {
        ImmutableArray<SetPin> high = [new(13, PinState.High)];
        var result = await Cluster.SetPinsAsync(Good, high);
        Assert.Equal(Evidence.Observed, result.Evidence);
        await Cluster.UpdateAsync(Good, [13]);
        await Cluster.ConfigPinsAsync(Good, [new(13, PinMode.Output, PinState.High)], new() { Confirm = false });
        await Cluster.WaitForAsync(Good, [new(Pin: 13, State: PinState.High)], new() { IncludeCurrent = true });
        await Assert.ThrowsAsync<DeviceTimeoutException>(() => Cluster.SetPinsAsync(Silent, high, new() { Timeout = TimeSpan.FromMilliseconds(200) }));

        // While the silo looks for retained commands, right after its start, the broker has a subscriber for every device.
        Exception? exception;
        do
        {
            exception = await Record.ExceptionAsync(() => Cluster.SetPinsAsync(Nobody, high, new() { Timeout = TimeSpan.FromSeconds(1) }));
        }
        while (exception is DeviceTimeoutException);

        Assert.IsType<DeviceOfflineException>(exception);
    }

    /// <summary>What devices say of themselves, some of it unreadable, and who watches.</summary>
    private async Task ReportAsync(IMqttClient device)
    {
        await using (var subscription = Cluster.OnUpdate(new PinFilter(Pin: 14), static (_, _) => Task.CompletedTask))
        {
            await subscription.Started;
            await device.PublishStringAsync($"device/{Good}/status", "online", MqttQualityOfServiceLevel.AtLeastOnce);
            await device.PublishStringAsync($"device/{Good}/pin/update", """{"boot":1,"seq":1,"pins":[{"pin":14,"mode":3,"state":0}]}""", MqttQualityOfServiceLevel.AtLeastOnce);
            await device.PublishStringAsync($"device/{Good}/pin/update", """{"boot":1,"seq":1,"pins":[{"pin":14,"mode":3,"state":0}]}""", MqttQualityOfServiceLevel.AtLeastOnce);
            await device.PublishStringAsync($"device/{Good}/pin/update", "not json", MqttQualityOfServiceLevel.AtLeastOnce);
            await device.PublishStringAsync($"device/{Good}/status", "offline", MqttQualityOfServiceLevel.AtLeastOnce);
            await Until.TrueAsync(() => Measured(DeviceInstruments.PresenceChanges, "last_will"), "the device to go");
        }
    }

    /// <summary>A device whose grain fails, and more messages from it than the silo keeps.</summary>
    private async Task FailAsync(IMqttClient device)
    {
        _faults.Throw(Bad);
        for (var i = 0; i < 60; i++)
        {
            await device.PublishStringAsync($"device/{Bad}/pin/update", """[{"pin":13,"mode":3,"state":1}]""", (MqttQualityOfServiceLevel)(i % 2));
        }

        await Until.TrueAsync(
            () => WasMeasured(MqttStreamMetrics.DeadLettered) && WasMeasured(MqttStreamMetrics.DeadLettersPublished) && WasMeasured(MqttStreamMetrics.Dropped)
                && WasMeasured(MqttStreamMetrics.ReceivePauses),
            "messages to be given up, dropped and held off");
        _faults.Mend(Bad);
    }

    /// <summary>A row that nobody can read, and a store that fails for a moment.</summary>
    private async Task FailStoreAsync(IMqttClient device)
    {
        await device.PublishStringAsync($"device/{Unreadable}/pin/update", """[{"pin":13,"mode":3,"state":1}]""", MqttQualityOfServiceLevel.AtLeastOnce);
        await Until.TrueAsync(() => Execute($"UPDATE grain_state SET state = 'no state' WHERE grain_key = '{Unreadable}'") == 1, "the device to be stored");
        await Until.TrueAsync(
            async () =>
            {
                await foreach (var _ in Cluster.ListDevicesAsync())
                {
                    // Each list counts the row again.
                }

                return WasMeasured(GrainStorageTelemetry.Unreadable);
            },
            "the row to be left out");

        var before = _log.Lines.Count;
        Execute("ALTER TABLE grain_state RENAME TO hidden");

        // A device that is in memory fails to be written, others fail to be read.
        await device.PublishStringAsync($"device/{Good}/pin/update", """[{"pin":15,"mode":3,"state":1}]""", MqttQualityOfServiceLevel.AtLeastOnce);
        for (var i = 0; i < 100; i++)
        {
            await device.PublishStringAsync($"device/{Many}{i:D2}/pin/update", """[{"pin":13,"mode":3,"state":1}]""", MqttQualityOfServiceLevel.AtLeastOnce);
        }

        await Until.TrueAsync(
            () => Measured(GrainStorageTelemetry.Errors, "commit")
                && Own.Where(static i => i.Name == GrainStorageTelemetry.Operations).Sum(static i => i.Times(GrainStorageTelemetry.OutcomeTag, "failed")) > 200,
            "the store to fail two hundred times, and a commit among them");
        Execute("ALTER TABLE hidden RENAME TO grain_state");
        await Until.TrueAsync(
            () => _log.Lines.Skip(before).Count(static line => line.Contains("Until it recovers", StringComparison.Ordinal)) == _log.Lines.Skip(before).Count(IsRecovered),
            "the store to recover");
        StoreFailureLog = [.. _log.Lines.Skip(before)];
    }

    /// <summary>Somebody else takes the session, and leaves nothing of it.</summary>
    private async Task LoseSessionAsync()
    {
        // A receiver that is held off does not read who has its session.
        await Until.TrueAsync(() => Status.Unacknowledged == 0, "everything to be acknowledged");
        await Until.TrueAsync(
            async () =>
            {
                // If the socket is closed before the reason is read, the silo connects again and throws this one out: a few times in a row is a take-over as well.
                using var other = await ConnectAsync($"{ServiceId}-{DeviceStreams.ProviderName}-0");
                await Until.TrueAsync(() => WasMeasured(MqttStreamMetrics.SessionsTakenOver) || !other.IsConnected, "the silo to notice that its session is gone");
                return WasMeasured(MqttStreamMetrics.SessionsTakenOver);
            },
            "the session to be taken over");
        await Until.TrueAsync(() => WasMeasured(MqttStreamMetrics.SessionsLost), "the session to be lost");
    }

    private static bool IsRecovered(string line) => line.Contains(" recovered: ", StringComparison.Ordinal);

    private bool WasMeasured(string name) => _instruments.Values.Any(i => i.Name == name && i.WasMeasured);

    private bool Measured(string name, string value) => _instruments.Values.Any(i => i.Name == name && i.AttributeValues.Any(attribute => attribute.Value == value));

    private int Execute(string statement) => SqliteFile.Execute(Path.Combine(_dataDirectory, "devices.db"), statement);
}
