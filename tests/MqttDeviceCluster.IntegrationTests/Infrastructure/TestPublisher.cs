using System.Text;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>A client of its own that publishes with QoS 1 and knows that the broker has what it sent.</summary>
internal sealed class TestPublisher(MosquittoBroker broker) : IAsyncDisposable
{
    private readonly BrokerPublisher _publisher = new(new() { ConnectionString = broker.ConnectionString, PublishConnectWait = TimeSpan.FromSeconds(10) });

    public async Task PublishAsync(string topic, string payload)
    {
        var result = await _publisher.PublishAsync(topic, new() { Payload = Encoding.UTF8.GetBytes(payload) });
        Assert.Equal(MqttPublishOutcome.Accepted, result.Outcome);
    }

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();
}
