using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>The service: a whole silo as its executable puts it together, called in its own process.</summary>
internal sealed class Service : IContender
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly WebApplication _app;
    private readonly IDeviceCluster _cluster;
    private readonly string _directory;
    private readonly string[] _ids;
    private long _updates;

    private Service(WebApplication app, string directory, int devices)
    {
        _app = app;
        _cluster = app.Services.GetRequiredService<IDeviceCluster>();
        _directory = directory;
        _ids = [.. Enumerable.Range(0, devices).Select(Wire.DeviceId)];
    }

    public string Name => "service";

    public string Root => Wire.ServiceRoot;

    public long UpdatesDone => Volatile.Read(ref _updates);

    public static async Task<Service> StartAsync(Uri broker, CompareOptions options, int devices, CancellationToken cancellationToken)
    {
        var directory = Directory.CreateTempSubdirectory("mdc-bench-silo-").FullName;
        var ports = FreePort.Find(3);
        List<string> arguments =
        [
            $"--ConnectionStrings:mqtt={broker.OriginalString}",
            $"--DataDirectory={directory}",
            $"--Orleans:Endpoints:SiloPort={ports[0]}",
            $"--Orleans:Endpoints:GatewayPort={ports[1]}",
            $"--Urls=http://127.0.0.1:{ports[2]}",
            .. options.SiloSettings.Select(setting => $"--{setting}"),
        ];
        if (options.Storage == StorageKind.Memory)
        {
            arguments.Add("--Orleans:GrainStorage:Default:ProviderType=Memory");
        }

        WebApplication app;
        try
        {
            var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse(arguments));
            var settings = SiloSettings.From(builder.Configuration, directory);
            SiloComposition.AddSilo(builder, settings);
            app = builder.Build();
            SiloComposition.MapEndpoints(app, settings);
        }
        catch (SiloStartException exception)
        {
            throw new BenchmarkException($"The silo does not start: {exception.Message}");
        }

        await app.StartAsync(cancellationToken);
        var status = app.Services.GetRequiredKeyedService<IMqttStreamStatus>(DeviceStreams.ProviderName);
        using CancellationTokenSource bound = new(Bound);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, cancellationToken);
        while ((status.Publishing, status.Receiving) != (MqttConnectionState.Online, MqttConnectionState.Online))
        {
            await Task.Delay(20, either.Token);
        }

        return new(app, directory, devices);
    }

    public Task SetAsync(int device, bool high) => _cluster.SetPinsAsync(_ids[device], [new(Wire.Pin, high ? PinState.High : PinState.Low)]);

    public void Expect(int inFlight)
    {
        // The service finds out by itself.
    }

    // A PUBACK goes out last, after the update was applied and its state stored.
    public IDisposable CountUpdates()
    {
        MeterListener listener = new()
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == MqttStreamMetrics.Acknowledged)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref _updates, count));
        listener.Start();
        return listener;
    }

    /// <summary>Stops the silo and compares what it stored with what the devices said last. Returns how many devices were compared.</summary>
    /// <exception cref="BenchmarkException">They differ: what was measured is worth nothing.</exception>
    public async Task<int> StopAndVerifyAsync(IReadOnlyDictionary<int, bool> said)
    {
        await _app.StopAsync();
        await using SqliteConnection connection = new(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(_directory, "devices.db"),
            Mode = SqliteOpenMode.ReadOnly,
            Pooling = false,
        }.ToString());
        connection.Open();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT grain_key, state FROM grain_state";
        Dictionary<int, bool> stored = [];
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            using var state = JsonDocument.Parse(reader.GetString(1));
            var pin = state.RootElement.GetProperty("pins").EnumerateArray().Single(pin => pin.GetProperty("pin").GetInt32() == Wire.Pin);
            stored[Wire.DeviceNumber(reader.GetString(0))] = pin.GetProperty("state").GetInt32() == 1;
        }

        var wrong = said.Count(device => !stored.TryGetValue(device.Key, out var high) || high != device.Value);
        return wrong == 0 ? said.Count : throw new BenchmarkException($"The store does not hold what {wrong} of {said.Count} devices said last.");
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
