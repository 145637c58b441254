using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>A device of which a test says how it answers, and with which properties.</summary>
internal sealed class TracedDevice : IAsyncDisposable
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly ConcurrentQueue<MqttApplicationMessage> _commands = new();
    private readonly string _id;
    private readonly Func<MqttApplicationMessage, IReadOnlyList<DeviceAnswer>> _answer;

    private TracedDevice(string id, Func<MqttApplicationMessage, IReadOnlyList<DeviceAnswer>> answer)
    {
        (_id, _answer) = (id, answer);
        _client.ApplicationMessageReceivedAsync += AnswerAsync;
    }

    /// <summary>Gets the commands that came, in their order.</summary>
    public IReadOnlyList<MqttApplicationMessage> Commands => [.. _commands];

    public static async Task<TracedDevice> ConnectAsync(MosquittoBroker broker, string id, Func<MqttApplicationMessage, IReadOnlyList<DeviceAnswer>> answer)
    {
        TracedDevice device = new(id, answer);
        await device._client.ConnectAsync(
            new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", broker.Port).WithProtocolVersion(MqttProtocolVersion.V500).WithClientId($"device-{id}").Build(),
            TestContext.Current.CancellationToken);
        await device._client.SubscribeAsync($"device/{id}/pin/set", MqttQualityOfServiceLevel.AtLeastOnce, TestContext.Current.CancellationToken);
        return device;
    }

    /// <summary>Reports something that nobody asked for.</summary>
    public Task ReportAsync(string payload, string? traceParent = null) => PublishAsync(new(payload, traceParent));

    /// <summary>Returns the trace parent that a command carries.</summary>
    public static string TraceParentOf(MqttApplicationMessage command) => PropertiesOf(command).Single(property => property.Name == "traceparent").Value;

    /// <summary>Returns the user properties of a command.</summary>
    public static IReadOnlyList<(string Name, string Value)> PropertiesOf(MqttApplicationMessage command) =>
        [.. command.UserProperties.Select(property => (property.Name, property.ReadValueAsString()))];

    /// <summary>Returns the payload of a command.</summary>
    public static string PayloadOf(MqttApplicationMessage command) => Encoding.UTF8.GetString(command.Payload.ToArray());

    public async ValueTask DisposeAsync()
    {
        await _client.DisconnectAsync();
        _client.Dispose();
    }

    private async Task AnswerAsync(MqttApplicationMessageReceivedEventArgs message)
    {
        _commands.Enqueue(message.ApplicationMessage);
        foreach (var answer in _answer(message.ApplicationMessage))
        {
            await PublishAsync(answer);
        }
    }

    private async Task PublishAsync(DeviceAnswer answer)
    {
        MqttApplicationMessage message = new()
        {
            Topic = $"device/{_id}/pin/update",
            PayloadSegment = Encoding.UTF8.GetBytes(answer.Payload),
            QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
            CorrelationData = answer.Echo,
            UserProperties = answer.TraceParent is null ? null : [new MqttUserProperty("traceparent", Encoding.UTF8.GetBytes(answer.TraceParent))],
        };
        Assert.True((await _client.PublishAsync(message, TestContext.Current.CancellationToken)).IsSuccess);
    }
}

/// <summary>An update.</summary>
/// <param name="Payload">The payload.</param>
/// <param name="TraceParent">The trace context that it carries, if any.</param>
/// <param name="Echo">The command's correlation data, from a device that echoes it.</param>
internal sealed record DeviceAnswer(string Payload, string? TraceParent = null, byte[]? Echo = null);
