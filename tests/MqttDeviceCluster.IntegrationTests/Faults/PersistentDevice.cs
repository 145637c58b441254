using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>A device whose session the broker keeps while it is away. It does what a set command says, and reports it.</summary>
internal sealed class PersistentDevice : IAsyncDisposable
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly ConcurrentQueue<string> _commands = new();
    private readonly string _id;

    private PersistentDevice(string id)
    {
        _id = id;
        _client.ApplicationMessageReceivedAsync += ActAsync;
    }

    /// <summary>Gets the payloads of the commands that came on this connection, in their order.</summary>
    public IReadOnlyList<string> Commands => [.. _commands];

    /// <summary>Gets whether the broker had the session.</summary>
    public bool SessionPresent { get; private set; }

    /// <summary>Connects, and subscribes when there is no session to go on with.</summary>
    public static async Task<PersistentDevice> ConnectAsync(MosquittoBroker broker, string id)
    {
        PersistentDevice device = new(id);
        var options = new MqttClientOptionsBuilder()
            .WithTcpServer("127.0.0.1", broker.Port)
            .WithProtocolVersion(MqttProtocolVersion.V500)
            .WithClientId($"device-{id}")
            .WithCleanStart(false)
            .WithSessionExpiryInterval(3600)
            .Build();
        device.SessionPresent = (await device._client.ConnectAsync(options, TestContext.Current.CancellationToken)).IsSessionPresent;
        if (!device.SessionPresent)
        {
            await device._client.SubscribeAsync($"device/{id}/pin/set", MqttQualityOfServiceLevel.AtLeastOnce, TestContext.Current.CancellationToken);
        }

        return device;
    }

    /// <summary>Goes away with a DISCONNECT, which keeps the session as a lost connection does, and after which nothing more is sent to it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _client.DisconnectAsync();
        _client.Dispose();
    }

    private async Task ActAsync(MqttApplicationMessageReceivedEventArgs message)
    {
        var command = Encoding.UTF8.GetString(message.ApplicationMessage.Payload.ToArray());
        _commands.Enqueue(command);
        await _client.PublishStringAsync($"device/{_id}/pin/update", command, MqttQualityOfServiceLevel.AtMostOnce);
    }
}
