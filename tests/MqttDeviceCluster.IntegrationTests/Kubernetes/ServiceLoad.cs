using System.Collections.Concurrent;
using System.Globalization;
using MqttDeviceCluster.IntegrationTests.Faults;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>Somebody who asks the calling service of infra/k8s/examples, five times a second, to set a pin; and the devices.</summary>
internal sealed class ServiceLoad : IAsyncDisposable
{
    private const int Devices = 5;

    private readonly HttpClient _http;
    private readonly SimulatedFleet _fleet;
    private readonly CancellationTokenSource _enough = new();
    private Task _run = Task.CompletedTask;
    private int _succeeded;

    private ServiceLoad(HttpClient http, MosquittoBroker broker)
    {
        _http = http;
        _fleet = new(new()
        {
            Broker = new Uri(broker.ConnectionString),
            Ids = [.. Enumerable.Range(0, Devices).Select(IdOf)],
            Behavior = DeviceBehavior.Default with { InitialPins = [] },
            KeepAlive = TimeSpan.FromSeconds(60),
        });
    }

    /// <summary>Gets how many requests succeeded.</summary>
    public int Succeeded => Volatile.Read(ref _succeeded);

    /// <summary>Gets how the others failed.</summary>
    public ConcurrentQueue<string> Failures { get; } = [];

    public static async Task<ServiceLoad> StartAsync(HttpClient http, MosquittoBroker broker)
    {
        ServiceLoad load = new(http, broker);
        await load._fleet.StartAsync(TestContext.Current.CancellationToken);
        load._run = Task.Run(load.RunAsync);
        return load;
    }

    /// <summary>Waits until a request succeeds that is made from now on.</summary>
    public async Task WaitForSuccessAsync()
    {
        // One more than what is under way.
        var before = Succeeded;
        await Until.TrueAsync(() => Succeeded > before + 1, "a request of the service to succeed");
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _run;
        await _fleet.DisposeAsync();
        _enough.Dispose();
    }

    private static string IdOf(int number) => string.Create(CultureInfo.InvariantCulture, $"s{number}");

    private async Task RunAsync()
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(200));
        for (var number = 0; !_enough.IsCancellationRequested; number++)
        {
            try
            {
                var state = number / Devices % 2 == 0 ? "High" : "Low";
                using var response = await _http.PutAsync(new Uri($"devices/{IdOf(number % Devices)}/pins/13/{state}", UriKind.Relative), null);
                if (response.IsSuccessStatusCode)
                {
                    Interlocked.Increment(ref _succeeded);
                }
                else
                {
                    Failures.Enqueue($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                Failures.Enqueue(e.Message);
            }

            await timer.WaitForNextTickAsync();
        }
    }
}
