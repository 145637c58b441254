using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>One MQTT connection, with a last will if it is a device's.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly ConcurrentQueue<(string Topic, string Payload)> _received = new();
    private readonly SemaphoreSlim _arrived = new(0);

    private RawClient() => _client.ApplicationMessageReceivedAsync += message =>
    {
        _received.Enqueue((message.ApplicationMessage.Topic, Encoding.UTF8.GetString(message.ApplicationMessage.Payload.ToArray())));
        _arrived.Release();
        return Task.CompletedTask;
    };

    /// <summary>Gets what it received so far.</summary>
    public IReadOnlyList<(string Topic, string Payload)> Received => [.. _received];

    public static async Task<RawClient> ConnectAsync(MosquittoBroker broker, string? willTopic = null, string? will = null)
    {
        RawClient client = new();
        var options = new MqttClientOptionsBuilder()
            .WithTcpServer("127.0.0.1", broker.Port).WithProtocolVersion(MqttProtocolVersion.V500).WithClientId($"raw-{Guid.NewGuid():N}");
        if (willTopic is not null)
        {
            options = options.WithWillTopic(willTopic).WithWillPayload(will).WithWillRetain().WithWillQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce);
        }

        await client._client.ConnectAsync(options.Build(), TestContext.Current.CancellationToken);
        return client;
    }

    public async Task SubscribeAsync(string filter) => await _client.SubscribeAsync(filter, MqttQualityOfServiceLevel.AtLeastOnce, TestContext.Current.CancellationToken);

    public async Task PublishAsync(string topic, string payload, bool retain = false)
    {
        var result = await _client.PublishStringAsync(topic, payload, MqttQualityOfServiceLevel.AtLeastOnce, retain, TestContext.Current.CancellationToken);
        Assert.True(result.IsSuccess, result.ReasonString);
    }

    /// <summary>Waits until a message was received.</summary>
    public async Task WaitForAsync(string topic, Func<string, bool>? match = null)
    {
        using CancellationTokenSource bound = new(TimeSpan.FromSeconds(30));
        while (!_received.Any(message => message.Topic == topic && match?.Invoke(message.Payload) != false))
        {
            await _arrived.WaitAsync(bound.Token);
        }
    }

    /// <summary>Closes the socket without a goodbye, as a device that loses its power.</summary>
    public void Dispose()
    {
        _client.Dispose();
        _arrived.Dispose();
    }
}
