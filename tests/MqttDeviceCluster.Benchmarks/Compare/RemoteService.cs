using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>The service in a process of its own, called by an Orleans client in this one.</summary>
internal sealed class RemoteService : IService
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly ChildServer _silo;
    private readonly IHost _client;
    private readonly string[] _ids;

    private RemoteService(ChildServer silo, IHost client, TimeSpan startTime, int devices)
    {
        _silo = silo;
        _client = client;
        StartTime = startTime;
        Cluster = client.Services.GetRequiredService<IDeviceCluster>();
        _ids = [.. Enumerable.Range(0, devices).Select(Wire.DeviceId)];
    }

    public string Name => "service";

    public string Root => Wire.ServiceRoot;

    public Process? Process => _silo.Process;

    public bool Stores => true;

    /// <summary>Gets the time from the start of the process until it said that it is ready to serve.</summary>
    public TimeSpan StartTime { get; }

    public IDeviceCluster Cluster { get; }

    public string DataDirectory => _silo.DirectoryPath;

    public long UpdatesDone => throw new NotSupportedException("Only the silo's own process sees its acknowledgements.");

    /// <param name="broker">The broker.</param>
    /// <param name="settings">Settings of the silo.</param>
    /// <param name="devices">How many devices will be addressed.</param>
    /// <param name="prepare">Is given the data directory before the silo starts.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<RemoteService> StartAsync(
        Uri broker, IEnumerable<string> settings, int devices, Func<string, Task>? prepare, CancellationToken cancellationToken)
    {
        ChildServer silo = new("silo");
        var ports = FreePort.Find(3);
        try
        {
            await (prepare?.Invoke(silo.DirectoryPath) ?? Task.CompletedTask);
            var (file, arguments) = OwnProgram.With(["silo", .. Service.SiloArguments(broker, silo.DirectoryPath, ports, settings)]);
            var started = Stopwatch.GetTimestamp();
            await silo.StartAsync(file, arguments, "is up:");
            await UntilReadyAsync(new($"http://127.0.0.1:{ports[2]}/health/ready"), cancellationToken);
            var startTime = Stopwatch.GetElapsedTime(started);
            var builder = Host.CreateApplicationBuilder();
            builder.Logging.SetMinimumLevel(LogLevel.Warning);
            builder.UseOrleansClient(client => client.UseLocalhostClustering(ports[1]));
            builder.Services.AddDeviceCluster();
            var client = builder.Build();
            await client.StartAsync(cancellationToken);
            return new(silo, client, startTime, devices);
        }
        catch (Exception)
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    public Task SetAsync(int device, bool high) => Cluster.SetPinsAsync(_ids[device], [new(Wire.Pin, high ? PinState.High : PinState.Low)]);

    public void Expect(int inFlight)
    {
        // The service finds out by itself.
    }

    public IDisposable CountUpdates() => throw new NotSupportedException("Only the silo's own process sees its acknowledgements.");

    public async Task StopAsync()
    {
        await _client.StopAsync();
        await _silo.EndAsync("TERM");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _client.Dispose();
        await _silo.DisposeAsync();
    }

    private static async Task UntilReadyAsync(Uri ready, CancellationToken cancellationToken)
    {
        using HttpClient http = new();
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            using var answer = await http.GetAsync(ready, cancellationToken);
            var body = await answer.Content.ReadAsStringAsync(cancellationToken);
            if (answer.StatusCode == HttpStatusCode.OK && !body.Contains("\"Degraded\"", StringComparison.OrdinalIgnoreCase))
            {
                return;
            }

            if (Stopwatch.GetElapsedTime(started) > Bound)
            {
                throw new BenchmarkException($"The silo did not become ready: {body}");
            }

            await Task.Delay(10, cancellationToken);
        }
    }
}
