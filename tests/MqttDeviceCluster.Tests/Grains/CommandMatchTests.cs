using MqttDeviceCluster.Streams;
using static MqttDeviceCluster.Tests.Grains.Updates;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class CommandMatchTests
{
    private static readonly Guid Id = Guid.NewGuid();

    private static CommandMatch Set(params SetPin[] pins) => new(Id, PinExpectation.For([.. pins], PulseEdge.First));

    private static CommandMatch Pulse(PulseEdge edge) => new(Id, PinExpectation.For([new(13, PinState.High, TimeSpan.FromSeconds(1))], edge));

    private static bool Confirms(CommandMatch match, params DeviceUpdate[] updates)
    {
        foreach (var update in updates)
        {
            match.Observe(Observed(update));
        }

        return match.IsSatisfied;
    }

    [Fact]
    public void Observe_PinsReportedInSeveralUpdates_Accumulate()
    {
        var match = Set(new(13, PinState.Low), new(14, PinState.High));

        Assert.False(Confirms(match, Of(Reading(14, PinState.High))));
        Assert.Equal([13], match.MissingPins);
        Assert.True(Confirms(match, Of(Reading(13, PinState.Low))));
        Assert.Equal([13, 14], match.Updates.Select(update => update.Pin));
        Assert.Equal(Evidence.Observed, match.Evidence);
    }

    [Fact]
    public void Observe_UnrelatedPin_NeitherCompletesNorForgetsWhatIsMissing()
    {
        var match = Set(new(13, PinState.Low), new(14, PinState.High));

        Assert.False(Confirms(match, Of(Reading(99, PinState.Low)), Of(Reading(13, PinState.High))));
        Assert.Equal([13, 14], match.MissingPins);
        Assert.Empty(match.Updates);
    }

    [Fact]
    public void Observe_StateNotNamedInTheUpdate_DoesNotConfirmFromWhatWasKnown()
    {
        var known = DeviceStateUpdater.Apply(new(), Of(Reading(13, PinState.Low)), 8).State;
        var match = Set(new SetPin(13, PinState.Low));

        match.Observe(Observed(Of(Reading(13, mode: PinMode.Output)), known));

        Assert.False(match.IsSatisfied);
    }

    [Fact]
    public void Observe_TwoMatchingUpdatesBackToBack_KeepTheFirst()
    {
        var match = Set(new SetPin(13, PinState.Low));

        Assert.True(Confirms(match, Of(Reading(13, PinState.Low)), Of(Reading(13, PinState.Low, PinMode.Output))));
        Assert.Null(Assert.Single(match.Updates).Mode);
    }

    [Fact]
    public void Observe_ConfigPins_NeedsTheModeAndNotTheState()
    {
        CommandMatch match = new(Id, PinExpectation.For([new ConfigPin(13, PinMode.Output, PinState.High)]));

        Assert.False(Confirms(match, Of(Reading(13, PinState.High)), Of(Reading(13, PinState.High, PinMode.Input))));
        Assert.True(Confirms(match, Of(Reading(13, PinState.Low, PinMode.Output))));
    }

    [Fact]
    public void Observe_UpdateOfNamedPins_NeedsEachOfThemWhateverItsState()
    {
        CommandMatch match = new(Id, PinExpectation.For([13, 14]));

        Assert.False(Confirms(match, Of(Reading(99, PinState.Low)), Of()));
        Assert.True(Confirms(match, Of(Reading(14)), Of(Reading(13, PinState.High))));
        Assert.Equal([13, 14], match.Updates.Select(update => update.Pin));
    }

    [Fact]
    public void Observe_UpdateOfAllPins_AnyUpdateAnswersAlsoAnEmptyOne()
    {
        CommandMatch empty = new(Id, PinExpectation.For(System.Collections.Immutable.ImmutableArray<int>.Empty));
        Assert.False(empty.IsSatisfied);
        Assert.True(Confirms(empty, Of()));
        Assert.Empty(empty.Updates);

        CommandMatch some = new(Id, PinExpectation.For(System.Collections.Immutable.ImmutableArray<int>.Empty));
        Assert.True(Confirms(some, Of(Reading(2, PinState.Low), Reading(1), Reading(2, PinState.High))));
        Assert.Equal([(2, PinState.High), (1, null)], some.Updates.Select(update => (update.Pin, update.State)));
    }

    [Theory]
    [InlineData(PulseEdge.First, PinState.High, true)]
    [InlineData(PulseEdge.First, PinState.Low, false)]
    [InlineData(PulseEdge.Return, PinState.High, false)]
    [InlineData(PulseEdge.Return, PinState.Low, true)]
    [InlineData(PulseEdge.Either, PinState.High, true)]
    [InlineData(PulseEdge.Either, PinState.Low, true)]
    public void Observe_Pulse_IsConfirmedByTheEdgeAskedFor(PulseEdge edge, PinState seen, bool confirms) =>
        Assert.Equal(confirms, Confirms(Pulse(edge), Of(Reading(13, seen))));

    [Fact]
    public void Observe_BothEdgesInOneUpdate_ConfirmTheWayBack()
    {
        var match = Pulse(PulseEdge.Return);

        Assert.True(Confirms(match, Of(Reading(13, PinState.High), Reading(13, PinState.Low))));
        Assert.Equal(PinState.Low, Assert.Single(match.Updates).State);
    }

    [Fact]
    public void Observe_PulseInOneOfTwoPins_OtherPinStillNeedsItsState()
    {
        CommandMatch match = new(Id, PinExpectation.For(
            [new(13, PinState.High, TimeSpan.FromSeconds(1)), new(14, PinState.High)], PulseEdge.Return));

        Assert.False(Confirms(match, Of(Reading(13, PinState.Low), Reading(14, PinState.Low))));
        Assert.True(Confirms(match, Of(Reading(14, PinState.High))));
    }

    [Fact]
    public void Observe_EchoOfEveryPin_IsEchoed()
    {
        var match = Set(new(13, PinState.Low), new(14, PinState.High));

        Assert.True(Confirms(
            match, Of(Reading(13, PinState.Low)) with { CommandId = Id }, Of(Reading(14, PinState.High)) with { CommandId = Id }));
        Assert.Equal(Evidence.Echoed, match.Evidence);
    }

    [Fact]
    public void Observe_EchoOfSomePins_IsObserved()
    {
        var match = Set(new(13, PinState.Low), new(14, PinState.High));

        Assert.True(Confirms(match, Of(Reading(13, PinState.Low)) with { CommandId = Id }, Of(Reading(14, PinState.High))));
        Assert.Equal(Evidence.Observed, match.Evidence);
    }

    [Fact]
    public void Observe_EchoAfterObservation_BettersTheEvidence()
    {
        var match = Set(new(13, PinState.Low), new(14, PinState.High));

        Assert.True(Confirms(
            match,
            Of(Reading(13, PinState.Low)),
            Of(Reading(13, PinState.Low), Reading(14, PinState.High)) with { CommandId = Id }));
        Assert.Equal(Evidence.Echoed, match.Evidence);
    }

    [Fact]
    public void Observe_EchoInAnotherStateOrWithoutPins_DoesNotConfirm()
    {
        var match = Set(new SetPin(13, PinState.Low));

        Assert.False(Confirms(match, Of(Reading(13, PinState.High)) with { CommandId = Id }, Of() with { CommandId = Id }));
    }

    [Fact]
    public void Observe_EchoOfPulse_EitherEdgeConfirms()
    {
        var match = Pulse(PulseEdge.First);

        Assert.True(Confirms(match, Of(Reading(13, PinState.Low)) with { CommandId = Id }));
        Assert.Equal(Evidence.Echoed, match.Evidence);
    }

    [Fact]
    public void Observe_EchoOfTheFirstEdgeWhenTheWayBackWasAsked_DoesNotConfirm()
    {
        var match = Pulse(PulseEdge.Return);

        Assert.False(Confirms(match, Of(Reading(13, PinState.High)) with { CommandId = Id }));
        Assert.True(Confirms(match, Of(Reading(13, PinState.Low)) with { CommandId = Id }));
    }

    [Fact]
    public void Observe_AnswerToAnotherCommand_DoesNotConfirmByItsContent()
    {
        var match = Set(new SetPin(13, PinState.Low));

        Assert.False(Confirms(match, Of(Reading(13, PinState.Low)) with { CommandId = Guid.NewGuid() }));
    }
}
