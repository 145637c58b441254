using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Threading.Channels;
using MQTTnet;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace MqttDeviceCluster.Tests.Simulator;

/// <summary>A broker in this process, and a client that sees what devices publish.</summary>
public sealed class SimulatorBroker : IAsyncLifetime
{
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    private readonly Channel<MqttApplicationMessage> _seen = Channel.CreateUnbounded<MqttApplicationMessage>();
    private readonly ConcurrentQueue<string> _log = new();
    private MqttServer _server = null!;
    private IMqttClient _client = null!;

    public Uri Uri { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var options = new MqttServerOptionsBuilder()
            .WithDefaultEndpoint()
            .WithDefaultEndpointBoundIPAddress(IPAddress.Loopback)
            .WithDefaultEndpointBoundIPV6Address(IPAddress.None)
            .WithDefaultEndpointPort(0)
            .WithPersistentSessions()
            .Build();
        _server = new MqttServerFactory().CreateMqttServer(options);
        await _server.StartAsync();
        Uri = new Uri($"mqtt://127.0.0.1:{options.DefaultEndpointOptions.Port}");
        _client = new MqttClientFactory().CreateMqttClient();
        _client.ApplicationMessageReceivedAsync += received =>
        {
            _log.Enqueue($"{received.ApplicationMessage.Topic} {received.ApplicationMessage.ConvertPayloadToString()}");
            _seen.Writer.TryWrite(received.ApplicationMessage);
            return Task.CompletedTask;
        };
        await _client.ConnectAsync(
            new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", Uri.Port).WithProtocolVersion(MQTTnet.Formatter.MqttProtocolVersion.V500).Build());
        await _client.SubscribeAsync(new MqttClientSubscribeOptionsBuilder()
            .WithTopicFilter("device/+/pin/update", MqttQualityOfServiceLevel.AtLeastOnce, retainAsPublished: true)
            .WithTopicFilter("device/+/status", MqttQualityOfServiceLevel.AtLeastOnce, retainAsPublished: true)
            .Build());
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.StopAsync();
        _server.Dispose();
    }

    public async Task SendAsync(string deviceId, string kind, string payload, Action<MqttApplicationMessageBuilder>? more = null)
    {
        var builder = new MqttApplicationMessageBuilder()
            .WithTopic($"device/{deviceId}/pin/{kind}")
            .WithPayload(payload)
            .WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce);
        more?.Invoke(builder);
        var result = await _client.PublishAsync(builder.Build());
        Assert.True(result.IsSuccess, result.ReasonCode.ToString());
    }

    /// <summary>Awaits what a device published next.</summary>
    public async Task<MqttApplicationMessage> NextAsync()
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(Bound);
        try
        {
            return await _seen.Reader.ReadAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No device published anything. Seen so far: {string.Join("; ", _log)}");
        }
    }

    public async Task<string> NextPayloadAsync() => (await NextAsync()).ConvertPayloadToString();

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
