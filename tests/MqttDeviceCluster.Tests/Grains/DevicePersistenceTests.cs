using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Streams;
using Orleans.Core.Internal;
using Orleans.TestingHost;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

/// <summary>What is stored, when, and what is told to whom before and after.</summary>
[Collection(DeviceClusterTestGroup.Name)]
public sealed class DevicePersistenceTests(DeviceClusterFixture fixture)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IDeviceCluster Devices => fixture.Devices;

    [Fact]
    public async Task Command_StorageHeldBack_IsConfirmedButItsUpdateIsNotDone()
    {
        var id = fixture.NewAnsweringDevice();
        var row = fixture.Storage.Of(id);
        TaskCompletionSource held = new();
        row.BeforeWrite = () => held.Task;

        var result = await Devices.SetPinsAsync(id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(45) }, Token);

        Assert.Equal(PinState.High, Assert.Single(result.Updates).State);
        Assert.Equal(PinState.High, (await Devices.GetPinAsync(id, 13, Token))?.State);
        Assert.Equal(0, row.Writes);

        held.SetResult();
        await DeviceGrainTests.Until(() => row.Writes == 1);
    }

    [Fact]
    public async Task Command_ItsGrainIsHeldUpByTheStore_IsNotSentOnceItsCallerHasGivenUp()
    {
        var id = fixture.NewAnsweringDevice();
        var row = fixture.Storage.Of(id);
        TaskCompletionSource reading = new(), held = new();
        row.BeforeRead = () =>
        {
            reading.TrySetResult();
            return held.Task;
        };

        // Of its five seconds and the clocks' tolerance half a second is left.
        var gone = TimeProvider.System.GetUtcNow().AddSeconds(0.5);
        var late = Devices.SetPinsAsync(id, [new(13, PinState.High)], new() { Deadline = gone - CommandOptions.ClockTolerance }, Token);
        var inTime = Devices.SetPinsAsync(id, [new(14, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(45) }, Token);
        await reading.Task.WaitAsync(TestClock.Bound, Token);

        // Time is what this is about.
        await Task.Delay(TimeSpan.FromSeconds(0.6), Token);
        held.SetResult();

        Assert.False((await Assert.ThrowsAsync<DeviceTimeoutException>(() => late)).Published);
        await inTime.WaitAsync(TestClock.Bound, Token);
        Assert.Equal([14], fixture.Mqtt.Device(id).Received.OfType<SetPinsCommand>().SelectMany(static command => command.Pins).Select(static pin => pin.Pin));
    }

    [Fact]
    public async Task Updates_DeliveredTogether_AreAppliedInOrderAndWrittenOnce()
    {
        var id = DeviceClusterFixture.NewDevice();
        var row = fixture.Storage.Of(id);
        await fixture.SendTogetherAsync(
            id, Of(Reading(13, PinState.High)), Of(Reading(14, PinState.High)), Of(Reading(13, PinState.Low)));

        await Devices.WaitForAsync(id, [new(Pin: 14, State: PinState.High)], new() { IncludeCurrent = true }, Token);
        Assert.Equal(1, row.Writes);
        Assert.Equal(PinState.Low, (await Devices.GetPinAsync(id, 13, Token))?.State);
        Assert.Equal(PinState.High, (await Devices.GetPinAsync(id, 14, Token))?.State);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Update_WriteFails_ConfirmsAndIsDeliveredAgainUntilItIsStored(bool numbered)
    {
        var id = DeviceClusterFixture.NewDevice();
        var row = fixture.Storage.Of(id);
        var failures = 0;
        row.BeforeWrite = () => ++failures <= 2 ? throw new IOException("disk") : Task.CompletedTask;

        // The redelivery of a numbered update is a repetition: it must be stored all the same.
        fixture.Mqtt.Device(id).OnCommand = command => fixture.SendAsync(
            id, FakeDevice.Answer(command) with { Boot = numbered ? 1 : null, Seq = numbered ? 1 : null });

        await Devices.SetPinsAsync(id, [new(13, PinState.High)], new() { Timeout = TimeSpan.FromSeconds(45) }, Token);

        await DeviceGrainTests.Until(() => row.Writes == 1);
        Assert.Equal(3, failures);
    }

    [Fact]
    public async Task Update_SomeoneElseWroteTheRow_ActivationEndsAndTheUpdateIsStoredByTheNext()
    {
        var id = DeviceClusterFixture.NewDevice();
        var row = fixture.Storage.Of(id);
        await fixture.SendAsync(id, Of(Reading(1, PinState.High)));
        await DeviceGrainTests.Until(() => row.Writes == 1);

        row.ETag += 7;
        await fixture.SendAsync(id, Of(Reading(2, PinState.High)));

        await DeviceGrainTests.Until(() => row.Writes == 2);
        Assert.Equal([1, 2], (await Devices.GetSnapshotAsync(id, Token)).Pins.Select(pin => pin.Pin));
    }

    [Fact]
    public async Task Update_NothingChanged_IsNotWritten()
    {
        var id = DeviceClusterFixture.NewDevice();
        var row = fixture.Storage.Of(id);
        for (var i = 0; i < 5; i++)
        {
            await fixture.SendAsync(id, Of(Reading(13, PinState.High)) with { ReceivedAt = TestClock.Noon.AddSeconds(i) });
        }

        await fixture.SendAsync(id, Of(Reading(13, PinState.Low)) with { ReceivedAt = TestClock.Noon.AddSeconds(9) });
        await DeviceGrainTests.Until(() => row.Writes == 2);
        Assert.Equal(TestClock.Noon.AddSeconds(9), (await Devices.GetSnapshotAsync(id, Token)).LastSeen);
    }

    [Fact]
    public async Task LastSeen_FallsBehindTooFar_IsWritten()
    {
        var id = DeviceClusterFixture.NewDevice();
        var row = fixture.Storage.Of(id);
        await fixture.SendAsync(id, Of(Reading(13, PinState.High)));
        await DeviceGrainTests.Until(() => row.Writes == 1);

        await fixture.SendAsync(id, Of(Reading(13, PinState.High)) with { ReceivedAt = TestClock.Noon.AddMinutes(5) });

        await DeviceGrainTests.Until(() => row.Writes == 2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task State_Deactivated_IsReadBack(bool memoryStorage)
    {
        FakeMqtt mqtt = new();
        await using var cluster = DeviceClusterFixture.Build(1, mqtt, new(), memoryStorage);
        await cluster.DeployAsync(Token);
        var devices = cluster.Client.ServiceProvider.GetRequiredService<IDeviceCluster>();
        await DeviceClusterFixture.SendAsync(cluster, "0a", Of(Reading(13, PinState.High, PinMode.Output), Reading(14)) with { Boot = 3, Seq = 8 });
        await devices.WaitForAsync("0a", [new(14)], new() { IncludeCurrent = true }, Token);

        // Changes nothing but the time, which deactivation writes.
        await DeviceClusterFixture.SendAsync(cluster, "0a", Of(Reading(13, PinState.High)) with { ReceivedAt = TestClock.Noon.AddSeconds(5) });
        var before = await UntilSeen(devices, TestClock.Noon.AddSeconds(5));
        await DeactivateAsync(cluster, "0a");

        // The first update of the new activation is a repetition of the last numbered one: it must still be known as such.
        await DeviceClusterFixture.SendAsync(cluster, "0a", Of(Reading(13, PinState.Low)) with { Boot = 3, Seq = 8 });
        var after = await devices.GetSnapshotAsync("0a", Token);

        Assert.Equal(before.Pins.AsEnumerable(), after.Pins);
        Assert.Equal(before.LastSeen, after.LastSeen);
    }

    internal static async Task DeactivateAsync(InProcessTestCluster cluster, string id)
    {
        var grain = cluster.Client.GetGrain<IDeviceGrain>(id);
        await grain.Cast<IGrainManagementExtension>().DeactivateOnIdle(Token);
        using CancellationTokenSource bound = new(TestClock.Bound);
        while (await cluster.Client.GetGrain<IManagementGrain>(0).GetActivationAddress(grain) is not null)
        {
            await Task.Delay(5, bound.Token); // Polls.
        }
    }

    private static async Task<DeviceSnapshot> UntilSeen(IDeviceCluster devices, DateTimeOffset seen)
    {
        using CancellationTokenSource bound = new(TestClock.Bound);
        while (true)
        {
            var snapshot = await devices.GetSnapshotAsync("0a", bound.Token);
            if (snapshot.LastSeen == seen)
            {
                return snapshot;
            }

            await Task.Delay(5, bound.Token); // Polls.
        }
    }
}
