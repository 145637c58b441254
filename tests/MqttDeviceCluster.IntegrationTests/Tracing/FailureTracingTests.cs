using System.Diagnostics;
using Orleans.Core.Internal;

namespace MqttDeviceCluster.IntegrationTests.Tracing;

/// <summary>A command that fails is one trace as well: it says at which span, of what, and with which outcome.</summary>
[Collection(TracedClusterCollection.Name)]
public sealed class FailureTracingTests(TracedCluster cluster)
{
    private static readonly CommandOptions Patient = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Command_DeviceStaysSilent_FailsWithItsReason()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ => []);
        using var caller = Caller();

        await Assert.ThrowsAsync<DeviceTimeoutException>(
            () => cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromMilliseconds(500) }, Cancelled));

        await AssertTraceAsync(caller, 3, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=MqttDeviceCluster.DeviceTimeoutException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=timeout
                exception: type=MqttDeviceCluster.DeviceTimeoutException
                mdc: command.id=COMMAND, command.kind=set, command.outcome=timeout, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
            """);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Wait_ForAState_SaysWhetherItCame(bool comes)
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ => []);
        using var caller = Caller();
        var wait = cluster.Devices.WaitForAsync(id, [new(13, State: PinState.High)], new() { IncludeCurrent = true, Timeout = comes ? TimeSpan.FromSeconds(30) : TimeSpan.FromMilliseconds(100) }, Cancelled);
        if (comes)
        {
            await device.ReportAsync("""[{"pin":13,"state":1}]""", null);
            await wait;
            SpanTree.AssertEqual("""
                - Client IDeviceGrain/WaitForAsync, below CALLER
                  - Server IDeviceGrain/WaitForAsync
                    mdc: command.kind=wait, command.outcome=matched, device.id=DEVICE
                """, await cluster.Spans.WaitForAsync(caller.TraceId, 2), (caller.SpanId, "CALLER"));
            return;
        }

        await Assert.ThrowsAsync<DeviceTimeoutException>(() => wait);
        await AssertTraceAsync(caller, 2, """
            - Client IDeviceGrain/WaitForAsync, Error, below CALLER
              exception: type=MqttDeviceCluster.DeviceTimeoutException
              - Server IDeviceGrain/WaitForAsync, Error
                error: type=timeout
                exception: type=MqttDeviceCluster.DeviceTimeoutException
                mdc: command.kind=wait, command.outcome=timeout, device.id=DEVICE
            """);
    }

    [Fact]
    public async Task Command_NobodyListens_FailsAtThePublish()
    {
        var id = await cluster.FindDeviceAsync();
        using var caller = Caller();

        await Assert.ThrowsAsync<DeviceOfflineException>(() => cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled));

        await AssertTraceAsync(caller, 3, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=MqttDeviceCluster.DeviceOfflineException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=offline
                exception: type=MqttDeviceCluster.DeviceOfflineException
                mdc: command.id=COMMAND, command.kind=set, command.outcome=offline, device.id=DEVICE
                - Producer publish device/{id}/pin/set, Error
                  error: type=NoMatchingSubscribers
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1, reason_code=16
            """);
    }

    [Fact]
    public async Task Command_BrokerRefuses_FailsAtThePublishWithTheBrokersReason()
    {
        var id = await cluster.FindDeviceAsync(id: TracedCluster.Refused);
        using var caller = Caller();

        var failure = await Assert.ThrowsAsync<BrokerUnavailableException>(
            () => cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled));

        Assert.True(failure.Refused);
        await AssertTraceAsync(caller, 3, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=MqttDeviceCluster.BrokerUnavailableException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=broker_unavailable
                exception: type=MqttDeviceCluster.BrokerUnavailableException
                mdc: command.id=COMMAND, command.kind=set, command.outcome=broker_unavailable, device.id=DEVICE
                - Producer publish device/{id}/pin/set, Error
                  error: type=Refused
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1, reason_code=135
            """);
    }

    [Fact]
    public async Task Command_LineIsFull_IsBusyAndNothingIsPublished()
    {
        var id = await cluster.FindDeviceAsync();
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ =>
        {
            arrived.TrySetResult();
            return [];
        });
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var running = SetPinAsync();
        await arrived.Task.WaitAsync(Cancelled);

        // One of the two waits in line, and the other finds no room there.
        using var oneCaller = Caller();
        var one = SetPinAsync();
        using var otherCaller = Caller();
        var other = SetPinAsync();
        var refused = await Task.WhenAny(running, one, other);
        await Assert.ThrowsAsync<DeviceBusyException>(() => refused);

        await AssertTraceAsync(refused == one ? oneCaller : otherCaller, 2, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=MqttDeviceCluster.DeviceBusyException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=busy
                exception: type=MqttDeviceCluster.DeviceBusyException
                mdc: command.id=COMMAND, command.kind=set, command.outcome=busy, device.id=DEVICE
            """);
        await giveUp.CancelAsync();
        foreach (var call in (Task[])[running, one, other])
        {
            await Record.ExceptionAsync(() => call);
        }

        Task SetPinAsync() => cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, giveUp.Token);
    }

    [Fact]
    public async Task Command_CallerGivesUp_IsCancelled()
    {
        var id = await cluster.FindDeviceAsync();
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ =>
        {
            giveUp.Cancel();
            return [];
        });
        using var caller = Caller();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, giveUp.Token));

        await AssertTraceAsync(caller, 3, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=System.OperationCanceledException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=cancelled
                exception: type=System.OperationCanceledException
                mdc: command.id=COMMAND, command.kind=set, command.outcome=cancelled, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
            """);
    }

    [Fact]
    public async Task Command_ActivationEnds_IsInterrupted()
    {
        var id = await cluster.FindDeviceAsync();
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, _ =>
        {
            arrived.TrySetResult();
            return [];
        });
        using var caller = Caller();
        var call = cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);
        await arrived.Task.WaitAsync(Cancelled);
        Activity.Current = null;

        await cluster.Grain(id).Cast<IGrainManagementExtension>().DeactivateOnIdle(Cancelled);

        await Assert.ThrowsAsync<DeviceInterruptedException>(() => call);
        await AssertTraceAsync(caller, 3, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=MqttDeviceCluster.DeviceInterruptedException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=interrupted
                exception: type=MqttDeviceCluster.DeviceInterruptedException
                mdc: command.id=COMMAND, command.kind=set, command.outcome=interrupted, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
            """);
    }

    [Fact]
    public async Task Command_PinNamedTwice_IsInvalidAndNothingIsPublished()
    {
        var id = await cluster.FindDeviceAsync();
        using var caller = Caller();

        await Assert.ThrowsAsync<ArgumentException>(() => cluster.Grain(id).SetPinsAsync([new(13, PinState.High), new(13, PinState.Low)], Patient, Cancelled));

        await AssertTraceAsync(caller, 2, """
            - Client IDeviceGrain/SetPinsAsync, Error, below CALLER
              exception: type=System.ArgumentException
              - Server IDeviceGrain/SetPinsAsync, Error
                error: type=invalid
                exception: type=System.ArgumentException
                mdc: command.kind=set, command.outcome=invalid, device.id=DEVICE
            """);
    }

    [Fact]
    public async Task Command_UpdateIsNotStored_IsConfirmedAndTheUpdateFails()
    {
        var id = await cluster.FindDeviceAsync();
        await using var device = await TracedDevice.ConnectAsync(cluster.Broker, id, command => [new(TracedDevice.PayloadOf(command))]);
        using var caller = Caller();

        await cluster.FailStoreAsync(id, async () =>
        {
            await cluster.Devices.SetPinsAsync(id, [new(13, PinState.High)], Patient, Cancelled);
            await cluster.Spans.WaitForAsync(caller.TraceId, 5);
        });

        await AssertTraceAsync(caller, 5, """
            - Client IDeviceGrain/SetPinsAsync, below CALLER
              - Server IDeviceGrain/SetPinsAsync
                mdc: command.evidence=observed, command.id=COMMAND, command.kind=set, command.outcome=observed, device.id=DEVICE
                - Producer publish device/{id}/pin/set
                  mdc: command.id=COMMAND
                  messaging: destination.name=device/DEVICE/pin/set, destination.template=device/{id}/pin/set, message.body.size=22, message.conversation_id=COMMAND, operation.name=publish, operation.type=send, system=mqtt
                  mqtt: qos=1
                  - Consumer process device/{id}/pin/update, Error
                    error: type=not_stored
                    mdc: command.evidence=observed, command.id=COMMAND, command.outcome=observed, device.id=DEVICE
                    messaging: destination.name=device/DEVICE/pin/update, destination.template=device/{id}/pin/update, operation.name=process, operation.type=process, system=mqtt
                    - Client write storage
            """);
    }

    private static Activity Caller()
    {
        Activity.Current = null;
        return new Activity("caller") { ActivityTraceFlags = ActivityTraceFlags.Recorded }.SetIdFormat(ActivityIdFormat.W3C).Start();
    }

    private async Task AssertTraceAsync(Activity caller, int count, string expected) =>
        SpanTree.AssertEqual(expected, await cluster.Spans.WaitForAsync(caller.TraceId, count), (caller.SpanId, "CALLER"));
}
