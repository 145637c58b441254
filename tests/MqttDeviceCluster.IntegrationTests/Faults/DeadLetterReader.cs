using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>A dead letter as an operator's tool sees it.</summary>
internal sealed record DeadLetter(string Reason, string Topic, ReadOnlyMemory<byte> Payload);

/// <summary>Subscribes to the dead-letter topic and keeps what comes.</summary>
internal sealed class DeadLetterReader : IMqttDeliverySink, IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly ConcurrentDictionary<string, int> _reasons = new();
    private readonly IMqttSession _session;

    private DeadLetterReader(MosquittoBroker broker, string topic)
    {
        MqttStreamOptions options = new() { ConnectionString = broker.ConnectionString };
        MqttStreamMetrics metrics = new(_services.GetRequiredService<IMeterFactory>(), "test");
        _session = new MqttConnectionFactory(options, $"dead-{Guid.NewGuid():N}", metrics, TimeProvider.System, NullLogger.Instance)
            .CreateSession(0, [new(topic, MqttQualityOfService.AtLeastOnce)], this);
    }

    /// <summary>Gets the first 20,000.</summary>
    public ConcurrentQueue<DeadLetter> Letters { get; } = new();

    /// <summary>Gets how many there were, by reason.</summary>
    public IReadOnlyDictionary<string, int> Reasons => _reasons;

    public int Count => _reasons.Values.Sum();

    public static async Task<DeadLetterReader> StartAsync(MosquittoBroker broker, string topic)
    {
        DeadLetterReader reader = new(broker, topic);
        reader._session.Start();
        await Until.TrueAsync(() => reader._session.State == MqttConnectionState.Online, "the reader of dead letters to connect");
        return reader;
    }

    public void OnConnected(long epoch, bool sessionPresent)
    {
        // The first connection is the only one.
    }

    public void OnFenced(long epoch)
    {
        // Nobody else has its client id.
    }

    public void OnDelivery(MqttDelivery delivery)
    {
        var properties = delivery.Message.UserProperties.ToDictionary(property => property.Key, property => property.Value);
        var reason = properties.GetValueOrDefault("reason") ?? "none";
        if (Letters.Count < 20_000)
        {
            Letters.Enqueue(new(reason, properties.GetValueOrDefault("topic") ?? "none", delivery.Message.Payload));
        }

        _reasons.AddOrUpdate(reason, 1, static (_, count) => count + 1);
        delivery.Complete();
    }

    public async ValueTask DisposeAsync()
    {
        await _session.StopAsync(TimeSpan.Zero, CancellationToken.None);
        await _services.DisposeAsync();
    }
}
