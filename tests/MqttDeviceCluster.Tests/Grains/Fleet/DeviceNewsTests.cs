using Microsoft.Extensions.Time.Testing;
using MqttDeviceCluster.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains.Fleet;

/// <summary>The news of device "d", as its grain notes and tells them.</summary>
public sealed class DeviceNewsTests
{
    private readonly FakeTimeProvider _time = new(TestClock.Noon.AddHours(1));
    private readonly FleetHub _hub = new();
    private readonly DeviceNews _news;
    private DeviceState _state = new();
    private long _version;

    public DeviceNewsTests() => _news = new("d", _hub, _time);

    private static DeviceUpdate High => Of(Reading(13, PinState.High));

    private static DeviceUpdate Low => Of(Reading(13, PinState.Low));

    private TestWatch Watch(bool includeUnchanged = false, string? deviceId = null) => new(_hub, new() { IncludeUnchanged = includeUnchanged, DeviceId = deviceId });

    /// <summary>Applies messages as one delivery; nothing is stored yet.</summary>
    private void Deliver(params DeviceMessage[] messages)
    {
        foreach (var message in messages)
        {
            var before = _state;
            ObservedUpdate observed = default;
            if (message is DeviceUpdate update)
            {
                var applied = DeviceStateUpdater.Apply(before, update, maxPins: 1024);
                (_state, observed) = (applied.State, applied.Observed);
                _version += applied.Changed ? 1 : 0;
            }
            else
            {
                _state = DeviceStateUpdater.Apply(before, (DeviceStatus)message);
                _version++;
            }

            _news.Note(message, before, _state, observed, _version);
        }
    }

    private void Store() => _news.Tell(_version);

    [Fact]
    public void Note_FirstUpdate_IsAddedThenOnlineThenItsPins()
    {
        var watch = Watch();
        Deliver(Of(Reading(14, PinState.High), Reading(13, PinState.Low)));
        Store();

        var events = watch.TakeAll();
        Assert.Equal("added Online 14=High 13=Low", string.Join(' ', events.Select(TestWatch.Word)));
        Assert.All(events, value => Assert.Equal(("d", TestClock.Noon), (value.DeviceId, value.At)));
    }

    [Fact]
    public void Tell_StateNotStored_TellsNothing()
    {
        var watch = Watch();
        Deliver(High);
        Deliver(Low);
        _news.Tell(_version - 2);
        Assert.Empty(watch.TakeAll());

        _news.Tell(_version - 1);
        Assert.Equal("added Online 13=High", watch.Words());
        _news.Tell(_version);
        Assert.Equal("13=Low", watch.Words());
        _news.Tell(_version);
        Assert.Empty(watch.TakeAll());
    }

    [Fact]
    public void Note_UnchangedPin_IsToldAsUnchangedToThoseWhoAsk()
    {
        var (changes, all) = (Watch(), Watch(includeUnchanged: true));
        Deliver(High, High);
        Store();

        Assert.Equal("added Online 13=High", changes.Words());
        Assert.Equal("added Online 13=High 13=High?", all.Words());
    }

    [Fact]
    public void Note_ModeAloneChanges_IsAChange()
    {
        Deliver(Of(Reading(13, PinState.High, PinMode.Input)));
        var watch = Watch();
        Deliver(Of(Reading(13, mode: PinMode.Output)));
        Store();

        var pin = Assert.IsType<PinEvent>(Assert.Single(watch.TakeAll()));
        Assert.True(pin.Changed);
        Assert.Equal((PinMode.Output, PinState.High), (pin.Update.Mode, pin.Update.State));
    }

    [Fact]
    public void Note_PinNamedTwiceInOneUpdate_IsComparedWithWhatWasKnownThen()
    {
        Deliver(Low);
        var watch = Watch(includeUnchanged: true);
        Deliver(Of(Reading(13, PinState.High), Reading(13, PinState.High), Reading(13, PinState.Low), Reading(14, PinState.Low), Reading(14, PinState.Low)));
        Store();

        Assert.Equal("13=High 13=High? 13=Low 14=Low 14=Low?", watch.Words());
    }

    [Fact]
    public void Note_RedeliveredMessages_AreToldOneByOneWithThatMark()
    {
        Deliver(High);
        var watch = Watch();

        // They may be repetitions, and they may be the first that is heard of them: none is left out.
        Deliver(Low with { Redelivered = true }, High with { Redelivered = true }, Low);
        Store();

        Assert.Equal("13=Low! 13=High! 13=Low", watch.Words());
    }

    [Fact]
    public void Note_RedeliveredFirstMessage_IsANewDeviceAllTheSame()
    {
        var watch = Watch();
        Deliver(High with { Redelivered = true });
        Store();

        Assert.Equal("added Online 13=High!", watch.Words());
    }

    [Fact]
    public void NotePresence_SamePresenceWithABetterReason_IsNoNews()
    {
        Deliver(High);
        var watch = Watch();
        Deliver(new DeviceStatus(TestClock.Noon, false, true));
        Store();

        Assert.Equal(PresenceReason.Birth, _state.ToPresence().Reason);
        Assert.Empty(watch.TakeAll());
    }

    [Fact]
    public void TellForgotten_NewsNotTold_IsReplacedByIt()
    {
        var watch = Watch();
        Deliver(High);
        _news.TellForgotten();
        Store();

        var forgotten = Assert.IsType<DeviceForgottenEvent>(Assert.Single(watch.TakeAll()));
        Assert.Equal(("d", _time.GetUtcNow()), (forgotten.DeviceId, forgotten.At));
    }

    [Fact]
    public void TellInterrupted_NewsNotTold_IsAGapOfTheDevice()
    {
        var watch = Watch();
        Deliver(High);
        _news.TellInterrupted();
        Store();

        Assert.Equal(new GapEvent("d", _time.GetUtcNow(), GapReason.DeviceInterrupted), Assert.Single(watch.TakeAll()));
    }

    [Fact]
    public void TellInterrupted_EverythingTold_IsNoGap()
    {
        var watch = Watch();
        Deliver(High);
        Store();
        watch.TakeAll();

        _news.TellInterrupted();

        Assert.Empty(watch.TakeAll());
    }

    [Fact]
    public void Note_NobodyWatches_CollectsNothing()
    {
        Deliver(High, Low with { Redelivered = true });
        var elsewhere = Watch(deviceId: "other");
        Deliver(Low);
        var watch = Watch();

        Store();
        _news.TellInterrupted();

        Assert.Empty(watch.TakeAll());
        Assert.Empty(elsewhere.TakeAll());
    }

    [Fact]
    public void Note_NobodyWatches_AllocatesNothing()
    {
        Deliver(High);
        var (message, before, observed) = (Low, _state, Observed(Low, _state));
        var after = DeviceStateUpdater.Apply(before, message, maxPins: 1024).State;
        Note(); // The first one may compile.

        var allocated = GC.GetAllocatedBytesForCurrentThread();
        Note();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - allocated);

        void Note()
        {
            _news.Note(message, before, after, observed, 2);
            _news.Tell(2);
        }
    }
}
