using System.Threading.Channels;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

/// <summary>Keeps what a session says, in order.</summary>
internal sealed class RecordingSink : IMqttDeliverySink
{
    private readonly Channel<object> _events = Channel.CreateUnbounded<object>();

    public Action<MqttDelivery>? WhileDelivering { get; set; }

    public void OnConnected(long epoch, bool sessionPresent) => _events.Writer.TryWrite((epoch, sessionPresent));

    public void OnDelivery(MqttDelivery delivery)
    {
        _events.Writer.TryWrite(delivery);
        WhileDelivering?.Invoke(delivery);
    }

    public void OnFenced(long epoch) => _events.Writer.TryWrite($"fenced {epoch}");

    public async Task<T> NextAsync<T>()
    {
        var next = await _events.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        return Assert.IsType<T>(next, exactMatch: false);
    }

    public Task<MqttDelivery> NextDeliveryAsync() => NextAsync<MqttDelivery>();

    public bool TryNext(out object? next) => _events.Reader.TryRead(out next);
}
