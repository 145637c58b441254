using MqttDeviceCluster.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class PresenceRulesTests
{
    private static readonly DateTimeOffset Later = TestClock.Noon.AddMinutes(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static DeviceStatus Birth(long? boot = null, string? firmware = null) => new(TestClock.Noon, false, true) { Boot = boot, Firmware = firmware };

    private static DeviceStatus Will(long? boot = null) => new(Later, false, false) { Boot = boot };

    private static DeviceUpdate Numbered(long boot, long seq = 1) => Of(Reading(13, PinState.High)) with { Boot = boot, Seq = seq };

    /// <summary>What the grain makes of the messages, one after the other.</summary>
    private static DeviceState After(params DeviceMessage[] messages) => messages.Aggregate(new DeviceState(), Next);

    private static DeviceState Next(DeviceState state, DeviceMessage message) =>
        message is DeviceUpdate update ? PresenceRules.Heard(state, update) : PresenceRules.Heard(state, (DeviceStatus)message);

    private static DevicePresence Is(Presence state, PresenceReason reason, DateTimeOffset? since = null) => new(state, reason, since ?? TestClock.Noon);

    [Fact]
    public void Heard_Update_IsOnlineByTraffic()
    {
        var state = After(Of());

        Assert.Equal(Is(Presence.Online, PresenceReason.Traffic), state.ToPresence());
        Assert.Equal(TestClock.Noon, state.FirstSeen);
        Assert.False(state.OffersStatus);
    }

    [Fact]
    public void Heard_MoreUpdates_MoveNoTime()
    {
        var once = After(Of());

        Assert.Same(once, Next(once, Of(Reading(13)) with { ReceivedAt = Later }));
    }

    [Fact]
    public void Heard_RetainedUpdate_SaysNothingOfPresence()
    {
        var state = After(Numbered(17) with { Retained = true });

        Assert.Equal(DevicePresence.Unknown, state.ToPresence());
        Assert.Equal(TestClock.Noon, state.FirstSeen); // But the device is known.
        Assert.Null(state.RunningBoot);
        var gone = After(Birth(), Will());
        Assert.Same(gone, Next(gone, Of() with { Retained = true }));
    }

    [Fact]
    public void Heard_RedeliveredUpdate_DoesNotBringBackADeviceThatIsGone()
    {
        var gone = After(Birth(), Will());
        Assert.Equal(Is(Presence.Offline, PresenceReason.LastWill, Later), Next(gone, Of() with { Redelivered = true }).ToPresence());

        Assert.Equal(Presence.Online, After(Of() with { Redelivered = true }).ToPresence().State);
        Assert.Equal(Is(Presence.Online, PresenceReason.Traffic), Next(gone, Of()).ToPresence());
    }

    [Fact]
    public void Heard_Birth_IsOnlineByBirthWithItsFirmware()
    {
        var state = After(Birth(17, "1.6.0"));

        Assert.Equal(Is(Presence.Online, PresenceReason.Birth), state.ToPresence());
        Assert.Equal(("1.6.0", 17L, true, TestClock.Noon), (state.Firmware, state.RunningBoot, state.OffersStatus, state.FirstSeen));
    }

    [Fact]
    public void Heard_RetainedBirth_Counts() =>
        Assert.Equal(Is(Presence.Online, PresenceReason.Birth), After(Birth() with { Retained = true }).ToPresence());

    [Fact]
    public void Heard_BirthOfADeviceKnownByItsTraffic_IsABetterReasonForTheSamePresence() =>
        Assert.Equal(Is(Presence.Online, PresenceReason.Birth), After(Of(), Birth() with { ReceivedAt = Later }).ToPresence());

    [Fact]
    public void Heard_TrafficAfterBirth_KeepsTheReason() => Assert.Equal(Is(Presence.Online, PresenceReason.Birth), After(Birth(), Of()).ToPresence());

    [Fact]
    public void Heard_SameBirthTwice_ChangesNothing()
    {
        var once = After(Birth(17, "1.6.0"));

        Assert.Same(once, Next(once, Birth(17, "1.6.0") with { ReceivedAt = Later }));
    }

    [Fact]
    public void Heard_BirthThatNamesNoFirmware_KeepsTheKnownOne() => Assert.Equal("1.6.0", After(Birth(17, "1.6.0"), Birth(18)).Firmware);

    [Theory]
    [InlineData(null, null)]
    [InlineData(17, 17)]
    [InlineData(17, null)] // A will without a boot is believed.
    [InlineData(null, 17)]
    [InlineData(17, 18)] // A boot that nothing was heard of until now.
    public void Heard_LastWill_IsOffline(int? birth, int? will)
    {
        var state = After(Birth(birth), Will(will));

        Assert.Equal(Is(Presence.Offline, PresenceReason.LastWill, Later), state.ToPresence());
    }

    [Fact]
    public void Heard_WillOfADeviceNeverHeardOf_IsOfflineAndKnown()
    {
        var state = After(Will(17) with { Retained = true });

        Assert.Equal(Presence.Offline, state.ToPresence().State);
        Assert.Equal(Later, state.FirstSeen);
        Assert.True(state.OffersStatus);
    }

    [Fact]
    public void Heard_WillAfterWill_KeepsTheFirstTime()
    {
        var once = After(Birth(17), Will(17));

        Assert.Same(once, Next(once, Will(17) with { ReceivedAt = Later.AddHours(1) }));
    }

    [Fact]
    public void Heard_WillOfADeviceThatIsSilent_KeepsTheReasonAndNotesTheStatus()
    {
        var state = Next(PresenceRules.Silent(After(Of()), TestClock.Noon), Will());

        Assert.Equal(Is(Presence.Offline, PresenceReason.Silence), state.ToPresence());
        Assert.True(state.OffersStatus);
    }

    [Fact]
    public void Heard_WillOfAnOlderBoot_StaysOnline()
    {
        var state = After(Birth(17));

        Assert.True(PresenceRules.IsOutdated(state, Will(16)));
        Assert.Same(state, Next(state, Will(16)));
        Assert.False(PresenceRules.IsOutdated(state, Birth(16))); // A birth is never a will.
    }

    [Fact]
    public void Heard_WillOfTheBootBeforeACounterReset_StaysOnline()
    {
        var state = After(Birth(500), Birth(1));

        Assert.Same(state, Next(state, Will(500)));
        Assert.Equal(Presence.Offline, Next(state, Will(1)).ToPresence().State);
    }

    [Fact]
    public void Heard_NumberedUpdate_NamesTheRunningBootToo()
    {
        var state = After(Birth(16), Numbered(17));

        Assert.Equal((17L, 16L), (state.RunningBoot, state.FormerBoot));
        Assert.Same(state, Next(state, Will(16)));
        Assert.Equal(16, After(Birth(16), Of() with { Boot = 17 }).RunningBoot); // A boot without a number orders nothing.
    }

    [Fact]
    public void Heard_BirthAfterItsWill_IsOnlineAgain()
    {
        var back = Birth(18) with { ReceivedAt = Later.AddMinutes(1) };

        Assert.Equal(Is(Presence.Online, PresenceReason.Birth, back.ReceivedAt), After(Birth(17), Will(17), back).ToPresence());
    }

    [Fact]
    public void SilentAt_SilenceOfWhoeverWasHeard_CountsFromTheLaterOfSeenAndListening()
    {
        var state = After(Of()) with { LastSeen = TestClock.Noon };

        Assert.Equal(TestClock.Noon + Hour, PresenceRules.SilentAt(state, Hour, TestClock.Noon.AddDays(-1)));
        Assert.Equal(Later + Hour, PresenceRules.SilentAt(state, Hour, Later));
    }

    [Fact]
    public void SilentAt_WhateverHasNoSilence_IsNever()
    {
        var online = After(Of()) with { LastSeen = TestClock.Noon };

        Assert.Null(PresenceRules.SilentAt(online, null, TestClock.Noon)); // Not asked for.
        Assert.Null(PresenceRules.SilentAt(online, Hour, null)); // Nobody listens.
        Assert.Null(PresenceRules.SilentAt(online with { LastSeen = null }, Hour, TestClock.Noon));
        Assert.Null(PresenceRules.SilentAt(online with { OffersStatus = true }, Hour, TestClock.Noon)); // Its will says when it goes.
        Assert.Null(PresenceRules.SilentAt(PresenceRules.Silent(online, Later), Hour, TestClock.Noon)); // It is offline.
        Assert.Null(PresenceRules.SilentAt(new() { LastSeen = TestClock.Noon }, Hour, TestClock.Noon)); // It is unknown.
    }

    [Fact]
    public void Silent_Device_IsOfflineBySilenceUntilItSends()
    {
        var silent = PresenceRules.Silent(After(Of()), Later);

        Assert.Equal(Is(Presence.Offline, PresenceReason.Silence, Later), silent.ToPresence());
        Assert.Equal(Presence.Online, Next(silent, Of()).ToPresence().State);
    }
}
