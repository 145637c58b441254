using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>A client of its own that publishes with QoS 1 and knows that the broker has what it sent.</summary>
internal sealed class TestPublisher : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly IMqttPublisher _publisher;

    public TestPublisher(MosquittoBroker broker)
    {
        MqttStreamOptions options = new() { ConnectionString = broker.ConnectionString, PublishConnectWait = TimeSpan.FromSeconds(10) };
        MqttStreamMetrics metrics = new(_services.GetRequiredService<IMeterFactory>(), "test");
        _publisher = new MqttConnectionFactory(options, $"test-{Guid.NewGuid():N}", metrics, TimeProvider.System, NullLogger.Instance).CreatePublisher();
        _publisher.Start();
    }

    public async Task PublishAsync(string topic, string payload)
    {
        var result = await _publisher.PublishAsync(topic, new() { Payload = Encoding.UTF8.GetBytes(payload) });
        Assert.Equal(MqttPublishOutcome.Accepted, result.Outcome);
    }

    public async ValueTask DisposeAsync()
    {
        await _publisher.StopAsync(TimeSpan.FromSeconds(1), CancellationToken.None);
        await _services.DisposeAsync();
    }
}
