using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

public sealed class MqttPublishWindowTests
{
    private readonly MqttStreamMetrics _metrics = TestMetrics.Create();

    [Fact]
    public void TryEnter_AllIdsInUse_IsRefusedUntilOneIsFree()
    {
        MqttPublishWindow window = new(Info(ushort.MaxValue), ushort.MaxValue);
        HashSet<ushort> ids = [];
        for (var i = 0; i < ushort.MaxValue; i++)
        {
            Assert.True(window.TryEnter(Publish(), out var id));
            Assert.True(id != 0 && ids.Add(id), $"Packet id {id} is not valid, or in use.");
        }

        Assert.False(window.HasRoom);
        Assert.False(window.TryEnter(Publish(), out _));
        Assert.NotNull(window.Leave(40_000));
        Assert.Null(window.Leave(40_000));

        Assert.True(window.TryEnter(Publish(), out var free));
        Assert.Equal(40_000, free);
    }

    [Fact]
    public void TryEnter_AMillionWhileOneIsNeverAnswered_DoesNotUseItsId()
    {
        MqttPublishWindow window = new(Info(5), 256);
        window.TryEnter(Publish(), out var held);
        for (var i = 0; i < 1_000_000; i++)
        {
            Assert.True(window.TryEnter(Publish(), out var id));
            Assert.NotEqual(held, id);
            Assert.NotNull(window.Leave(id));
        }

        Assert.Equal(1, window.InFlight);
    }

    private static MqttLinkInfo Info(int receiveMaximum) =>
        new(false, receiveMaximum, 0, 2, true, true, TimeSpan.FromSeconds(30), null, "client");

    private PendingPublish Publish() => new("t", new MqttOutgoingMessage { Payload = default }, TimeProvider.System, _metrics);
}
