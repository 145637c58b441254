using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class FilterMatchTests
{
    [Fact]
    public void Observe_AcrossUpdates_ReturnsTheUpdatesInTheOrderOfTheFilters()
    {
        FilterMatch match = new([new(13, State: PinState.High), new(14)], inOneUpdate: false);

        match.Observe(Observed(Of(Reading(14, PinState.Low))));
        Assert.Equal([13], match.MissingPins);
        match.Observe(Observed(Of(Reading(13, PinState.High))));

        Assert.True(match.IsSatisfied);
        Assert.Equal([13, 14], match.Updates.Select(update => update.Pin));
    }

    [Fact]
    public void Observe_InOneUpdate_DoesNotAccumulate()
    {
        FilterMatch match = new([new(13), new(14)], inOneUpdate: true);

        match.Observe(Observed(Of(Reading(14))));
        match.Observe(Observed(Of(Reading(13))));
        Assert.False(match.IsSatisfied);
        match.Observe(Observed(Of(Reading(13), Reading(14))));

        Assert.True(match.IsSatisfied);
    }

    [Fact]
    public void Observe_ModeKnownFromBefore_CompletesAFilterForBoth()
    {
        var known = DeviceStateUpdater.Apply(new(), Of(Reading(13, PinState.Low, PinMode.Output)), 8).State;
        FilterMatch match = new([new(13, PinMode.Output, PinState.High)], inOneUpdate: false);

        match.Observe(Observed(Of(Reading(13, PinState.High)), known));

        Assert.True(match.IsSatisfied);
    }

    [Fact]
    public void Observe_StateKnownFromBefore_IsNoNewsOfTheState()
    {
        var known = DeviceStateUpdater.Apply(new(), Of(Reading(13, PinState.High)), 8).State;
        FilterMatch match = new([new(13, State: PinState.High)], inOneUpdate: false);

        match.Observe(Observed(Of(Reading(13, mode: PinMode.Output)), known));

        Assert.False(match.IsSatisfied);
    }

    [Fact]
    public void ObserveCurrent_KnownPins_Match()
    {
        var known = DeviceStateUpdater.Apply(new(), Of(Reading(13, PinState.High), Reading(14, PinState.Low)), 8).State;
        FilterMatch match = new([new(14, State: PinState.Low), new(13, State: PinState.High)], inOneUpdate: true);

        match.ObserveCurrent(known);

        Assert.True(match.IsSatisfied);
    }
}
