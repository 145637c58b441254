using Microsoft.Extensions.Logging.Abstractions;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Provider;
using MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

public sealed class MqttIntakeTests
{
    private readonly FakeBroker _broker = new();
    private readonly MqttIntake _intake;

    public MqttIntakeTests()
    {
        MqttStreamOptions options = new();
        var metrics = TestMetrics.Create();
        _intake = new(
            0, options, [], _broker, new MqttDeadLetters(options, null, metrics, TimeProvider.System, NullLogger.Instance), metrics, null, null, TimeProvider.System, NullLogger.Instance);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task DetachAsync_FirstQueueToLeave_TakesTheConnectionDown()
    {
        var generation = _intake.Attach();
        Assert.Equal(generation, _intake.Attach());
        var session = await _broker.SessionAsync();

        // The other queue's agent waits for a grain that hangs. The broker's next client must not have to fight for the session until it is through.
        await _intake.DetachAsync(generation, Cancelled);

        Assert.Equal(MqttConnectionState.Stopped, session.State);
        Assert.Null(_intake.Session);
    }

    [Fact]
    public async Task DetachAsync_QueueThatLetGoLate_LeavesWhatCameUpSince()
    {
        var first = _intake.Attach();
        _intake.Attach();
        await _intake.DetachAsync(first, Cancelled);
        var second = _intake.Attach();
        var session = await _broker.SessionAsync();

        await _intake.DetachAsync(first, Cancelled);

        Assert.NotEqual(first, second);
        Assert.Equal(MqttConnectionState.Online, session.State);
        Assert.Same(session, _intake.Session);
        await _intake.DetachAsync(second, Cancelled);
        Assert.Equal(MqttConnectionState.Stopped, session.State);
    }

    [Fact]
    public void Finish_MessageOfAFencedConnection_IsNotAcknowledged()
    {
        var (before, after) = (Received(epoch: 1), Received(epoch: 1));
        _intake.Finish(before);
        Assert.True(((FakeDelivery)before.Delivery!).IsComplete);

        // It may not even have been delivered, and the connection may live on for a moment.
        _intake.OnFenced(1);
        _intake.Finish(after);
        _intake.DeadLetter(Received(epoch: 1), MqttRefusal.DeliveryFailed);

        Assert.False(((FakeDelivery)after.Delivery!).IsComplete);
    }

    private MqttStreamMessage Received(long epoch)
    {
        MqttIncomingMessage message = new() { Topic = "device/a/update", Payload = "1"u8.ToArray(), QualityOfService = MqttQualityOfService.AtLeastOnce };
        return new(StreamId.Create("updates", "a"), new(1), "1") { Delivery = new FakeDelivery(_broker, message, epoch) };
    }
}
