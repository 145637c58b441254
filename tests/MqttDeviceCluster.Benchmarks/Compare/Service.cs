using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;
using MqttDeviceCluster.Silo;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>The service: a whole silo as its executable puts it together, called in its own process.</summary>
internal sealed class Service : IService
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

    public Process? Process => null;

    public bool Stores => true;

    public static async Task<Service> StartAsync(Uri broker, IEnumerable<string> settings, int devices, CancellationToken cancellationToken)
    {
        var directory = Directory.CreateTempSubdirectory("mdc-bench-silo-").FullName;
        var ports = FreePort.Find(3);
        WebApplication app;
        try
        {
            var builder = SiloHost.CreateBuilder(SiloCommandLine.Parse(SiloArguments(broker, directory, ports, settings)));
            var read = SiloSettings.From(builder.Configuration, directory);
            SiloComposition.AddSilo(builder, read);
            app = builder.Build();
            SiloComposition.MapEndpoints(app, read);
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

    /// <summary>Returns the command line of a silo.</summary>
    /// <param name="broker">Its broker.</param>
    /// <param name="directory">Its data directory.</param>
    /// <param name="ports">Its ports: silo, gateway, HTTP.</param>
    /// <param name="settings">Further settings, as <c>Key:Name=value</c>.</param>
    public static string[] SiloArguments(Uri broker, string directory, int[] ports, IEnumerable<string> settings) =>
    [
        $"--ConnectionStrings:mqtt={broker.OriginalString}",
        $"--DataDirectory={directory}",
        $"--Orleans:Endpoints:SiloPort={ports[0]}",
        $"--Orleans:Endpoints:GatewayPort={ports[1]}",
        $"--Urls=http://127.0.0.1:{ports[2]}",
        .. settings.Select(setting => $"--{setting}"),
    ];

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

    public Task StopAsync() => _app.StopAsync();

    public string DataDirectory => _directory;

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
