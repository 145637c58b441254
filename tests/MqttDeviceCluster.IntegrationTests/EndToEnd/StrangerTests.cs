using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Streams;
using Orleans.Streams.Core;
using Orleans.TestingHost;

namespace MqttDeviceCluster.IntegrationTests.EndToEnd;

/// <summary>
/// The stream provider as somebody uses it who knows nothing of devices: grains and events of his own, a real broker, and every setting from configuration.
/// </summary>
public sealed class StrangerTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Provider_FromConfigurationAlone_CarriesEventsOfItsOwnBothWays()
    {
        await using var broker = await MosquittoBroker.StartAsync();
        Dictionary<string, string?> settings = new()
        {
            ["ConnectionStrings:weather"] = broker.ConnectionString,
            ["Orleans:Streaming:weather:ProviderType"] = "Mqtt",
            ["Orleans:Streaming:weather:ConnectionName"] = "weather",
            ["Orleans:Streaming:weather:ClientId"] = "weather-service",
            ["Orleans:Streaming:weather:Routes:0:Topic"] = "station/{key}/measurement",
            ["Orleans:Streaming:weather:Routes:0:Namespace"] = StationGrain.Measurements,
            ["Orleans:Streaming:weather:Routes:0:Codec"] = "measurement",
            ["Orleans:Streaming:weather:Routes:1:Direction"] = "ToTopic",
            ["Orleans:Streaming:weather:Routes:1:Topic"] = "station/{key}/measurement",
            ["Orleans:Streaming:weather:Routes:1:Namespace"] = StationGrain.Corrections,
            ["Orleans:Streaming:weather:Routes:1:Codec"] = "measurement",
        };
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureHost(host =>
        {
            host.Configuration.AddInMemoryCollection(settings);
            host.Services.AddMqttCodec("measurement", MqttCodec.Json(StationJson.Default.Measurement));
        });
        await using var cluster = builder.Build();
        await cluster.DeployAsync(TestContext.Current.CancellationToken);
        await using TestPublisher station = new(broker);
        await WaitUntilOnlineAsync(cluster);

        await station.PublishAsync("station/north/measurement", """{"Celsius":-3.5}""");
        await station.PublishAsync("station/north/measurement", "not JSON");
        await station.PublishAsync("station/north/measurement", """{"Celsius":-3.6}""");
        await ReceivedAsync("north", 2);

        // A client publishes over a connection of its own; what it sends comes back as any other measurement does.
        var corrections = cluster.Client.GetStreamProvider("weather").GetStream<Measurement>(StreamId.Create(StationGrain.Corrections, "south"));
        await corrections.OnNextAsync(new(21));
        await cluster.Client.GetGrain<IStationGrain>("south").CorrectAsync(22);
        await ReceivedAsync("south", 2);

        Assert.Equal([-3.5, -3.6], StationGrain.Received["north"]);
        Assert.Equal([21, 22], StationGrain.Received["south"]);
        await WaitUntilAsync(() => Status(cluster).Unacknowledged == 0, "everything to be acknowledged");
    }

    private static IMqttStreamStatus Status(InProcessTestCluster cluster) =>
        cluster.GetSiloServiceProvider().GetRequiredKeyedService<IMqttStreamStatus>("weather");

    private static Task WaitUntilOnlineAsync(InProcessTestCluster cluster) =>
        WaitUntilAsync(() => Status(cluster).Receiving == MqttConnectionState.Online, "the provider to be online");

    private static Task ReceivedAsync(string key, int count) =>
        WaitUntilAsync(() => StationGrain.Received.TryGetValue(key, out var received) && received.Count >= count, $"{count} events of {key}");

    private static async Task WaitUntilAsync(Func<bool> condition, string what)
    {
        using CancellationTokenSource bound = new(Bound);
        while (!condition())
        {
            if (bound.IsCancellationRequested)
            {
                throw new TimeoutException($"Waited {Bound} for {what}.");
            }

            // State on the other side of a real broker: it is asked again.
            await Task.Delay(20, CancellationToken.None);
        }
    }
}

[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.IntegrationTests.Measurement")]
public sealed record Measurement([property: Id(0)] double Celsius);

[JsonSerializable(typeof(Measurement))]
internal sealed partial class StationJson : JsonSerializerContext;

[Alias("MqttDeviceCluster.IntegrationTests.IStationGrain")]
public interface IStationGrain : IGrainWithStringKey
{
    [Alias("CorrectAsync")]
    Task CorrectAsync(double celsius);
}

[ImplicitStreamSubscription(Measurements)]
public sealed class StationGrain : Grain, IStationGrain, IAsyncObserver<Measurement>, IStreamSubscriptionObserver
{
    public const string Measurements = "station.measurements";
    public const string Corrections = "station.corrections";

    public static ConcurrentDictionary<string, ConcurrentQueue<double>> Received { get; } = new();

    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) => handleFactory.Create<Measurement>().ResumeAsync(this);

    public Task OnNextAsync(Measurement item, StreamSequenceToken? token = null)
    {
        Received.GetOrAdd(this.GetPrimaryKeyString(), _ => new()).Enqueue(item.Celsius);
        return Task.CompletedTask;
    }

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    public Task CorrectAsync(double celsius) => this.GetStreamProvider("weather")
        .GetStream<Measurement>(StreamId.Create(Corrections, this.GetPrimaryKeyString())).OnNextAsync(new(celsius));
}
