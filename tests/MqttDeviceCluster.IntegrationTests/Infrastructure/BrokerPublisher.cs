using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>A connection of the test's own to publish on.</summary>
internal sealed class BrokerPublisher : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly IMqttPublisher _publisher;

    public BrokerPublisher(MqttStreamOptions options)
    {
        MqttStreamMetrics metrics = new(_services.GetRequiredService<IMeterFactory>(), "test");
        _publisher = new MqttConnectionFactory(options, $"test-{Guid.NewGuid():N}", metrics, TimeProvider.System, NullLogger.Instance).CreatePublisher();
        _publisher.Start();
    }

    public Task<MqttPublishResult> PublishAsync(string topic, MqttOutgoingMessage message) => _publisher.PublishAsync(topic, message);

    public async ValueTask DisposeAsync()
    {
        await _publisher.StopAsync(TimeSpan.FromSeconds(1), CancellationToken.None);
        await _services.DisposeAsync();
    }
}
