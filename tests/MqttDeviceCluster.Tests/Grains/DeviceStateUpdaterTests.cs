using MqttDeviceCluster.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class DeviceStateUpdaterTests
{
    private static DeviceState Apply(params DeviceUpdate[] updates) => updates.Aggregate(new DeviceState(), static (state, update) => Apply(state, update).State);

    private static AppliedUpdate Apply(DeviceState state, DeviceUpdate update) => DeviceStateUpdater.Apply(state, update, maxPins: 1024);

    [Fact]
    public void Apply_PinsInAnyOrder_AreKeptSorted() =>
        Assert.Equal([1, 2, 9, 13], Apply(Of(Reading(13), Reading(1)), Of(Reading(9), Reading(2))).Pins.Select(pin => pin.Pin));

    [Fact]
    public void Apply_ReadingWithoutModeOrState_KeepsWhatIsKnown()
    {
        var pin = Assert.Single(Apply(
            Of(Reading(13, PinState.High, PinMode.Output)), Of(Reading(13, PinState.Low)), Of(Reading(13, mode: (PinMode)77)), Of(Reading(13))).Pins);

        Assert.Equal((77, 0), (pin.Mode, pin.State));
    }

    [Fact]
    public void Apply_SameUpdateTwice_ChangesNothingTheSecondTime()
    {
        var update = Of(Reading(13, PinState.High, PinMode.Output));
        var once = Apply(new DeviceState(), update);
        var twice = Apply(once.State, update with { ReceivedAt = TestClock.Noon.AddMinutes(1) });

        Assert.True(once.Changed);
        Assert.False(twice.Changed);
        Assert.False(twice.Late);
        Assert.Equal(TestClock.Noon.AddMinutes(1), twice.State.LastSeen);
    }

    [Fact]
    public void Apply_OldStateValue_IsNeverMutated()
    {
        var before = Apply(Of(Reading(13, PinState.High)));
        _ = Apply(before, Of(Reading(13, PinState.Low), Reading(14)));

        Assert.Equal(1, Assert.Single(before.Pins).State);
    }

    [Theory]
    [InlineData(17, 41, true)]
    [InlineData(17, 42, true)]
    [InlineData(17, 43, false)]
    [InlineData(18, 1, false)]
    [InlineData(16, 9, true)] // The boot before, a number that was seen.
    [InlineData(16, 11, false)] // The boot before, but a number never seen: a counter that started over.
    [InlineData(3, 1, false)] // A counter that started over.
    [InlineData(17, null, false)]
    [InlineData(null, 1, false)]
    public void Apply_BootAndNumber_DecideWhatIsLate(int? boot, int? seq, bool late)
    {
        var state = Apply(
            Of(Reading(13, PinState.Low)) with { Boot = 16, Seq = 10 }, Of(Reading(13, PinState.Low)) with { Boot = 17, Seq = 42 });

        var applied = Apply(state, Of(Reading(13, PinState.High)) with { Boot = boot, Seq = seq });

        Assert.Equal(late, applied.Late);
        Assert.Equal(!late, applied.Changed);
        Assert.Equal(late ? 0 : 1, Assert.Single(applied.State.Pins).State);
        Assert.Equal(late, applied.Observed.Pins.IsEmpty);
    }

    [Fact]
    public void Apply_NumberAdvancesAlone_MustBeStored() =>
        Assert.True(Apply(Apply(Of(Reading(13)) with { Boot = 1, Seq = 1 }), Of(Reading(13)) with { Boot = 1, Seq = 2 }).Changed);

    [Fact]
    public void Apply_BootCounterStartedOver_LaterUpdatesCountFromThere()
    {
        var state = Apply(Of(Reading(13)) with { Boot = 500, Seq = 9 }, Of(Reading(13)) with { Boot = 1, Seq = 1 });

        Assert.False(Apply(state, Of(Reading(13)) with { Boot = 1, Seq = 2 }).Late);
        Assert.True(Apply(state, Of(Reading(13)) with { Boot = 500, Seq = 9 }).Late);
    }

    [Fact]
    public void Apply_MorePinsThanAreKept_RefusesNewOnesAndUpdatesKnownOnes()
    {
        var state = DeviceStateUpdater.Apply(new(), Of(Reading(1, PinState.Low), Reading(2), Reading(3), Reading(-1)), maxPins: 2);
        Assert.Equal(2, state.RefusedPins);

        var next = DeviceStateUpdater.Apply(state.State, Of(Reading(1, PinState.High), Reading(7)), maxPins: 2);

        Assert.Equal([(1, 1), (2, (int?)null)], next.State.Pins.Select(pin => (pin.Pin, pin.State)));
        Assert.Equal(1, next.RefusedPins);
    }

    [Fact]
    public void Apply_Retained_FillsPinsButIsNoSignOfLife()
    {
        var state = Apply(Of(Reading(13, PinState.High)) with { Retained = true });

        Assert.Null(state.LastSeen);
        Assert.Equal(1, Assert.Single(state.Pins).State);
    }

    [Fact]
    public void Apply_DefaultPinArray_IsAnEmptyUpdate()
    {
        var first = Apply(new DeviceState(), new DeviceUpdate(TestClock.Noon, false, default));
        Assert.True(first.Changed); // It is there, and it was not known.

        var applied = Apply(first.State, new DeviceUpdate(TestClock.Noon.AddMinutes(1), false, default));

        Assert.False(applied.Changed);
        Assert.Empty(applied.State.Pins);
        Assert.Equal(TestClock.Noon.AddMinutes(1), applied.State.LastSeen);
    }

    [Theory]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)] // Retained: it is as old as it may be.
    [InlineData(false, false, false)] // The broker said it, not the device.
    public void Apply_Status_IsASignOfLifeWhenTheDeviceSaysItNow(bool online, bool retained, bool seen)
    {
        var state = DeviceStateUpdater.Apply(new(), new DeviceStatus(TestClock.Noon, retained, online));

        Assert.Equal(seen ? TestClock.Noon : null, state.LastSeen);
    }

    [Fact]
    public void Apply_SameStatusTwice_MovesOnlyTheTimeItWasSeen()
    {
        DeviceStatus birth = new(TestClock.Noon, false, true) { Boot = 17, Firmware = "1.6.0" };
        var once = DeviceStateUpdater.Apply(new(), birth);

        var twice = DeviceStateUpdater.Apply(once, birth with { ReceivedAt = TestClock.Noon.AddMinutes(1) });

        Assert.NotEqual(once, twice);
        Assert.Equal(once, twice with { LastSeen = once.LastSeen });
    }
}
