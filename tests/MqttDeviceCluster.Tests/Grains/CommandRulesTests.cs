using System.Collections.Immutable;

namespace MqttDeviceCluster.Tests.Grains;

public sealed class CommandRulesTests
{
    public static TheoryData<string, Action> Refused => new()
    {
        { "default pins", static () => CommandRequest.For(default(ImmutableArray<SetPin>), null) },
        { "no pins", static () => CommandRequest.For(ImmutableArray<SetPin>.Empty, null) },
        { "no config pins", static () => CommandRequest.For(ImmutableArray<ConfigPin>.Empty, null) },
        { "a pin twice", static () => CommandRequest.For([new SetPin(1, PinState.High), new SetPin(1, PinState.Low)], null) },
        { "a config pin twice", static () => CommandRequest.For([new ConfigPin(1, PinMode.Input), new ConfigPin(1, PinMode.Output)], null) },
        { "an asked pin twice", static () => CommandRequest.For([1, 1], null) },
        { "257 pins", static () => CommandRequest.For([.. Enumerable.Range(0, 257)], null) },
        { "a negative pin", static () => CommandRequest.For([new SetPin(-1, PinState.High)], null) },
        { "a null pin", static () => CommandRequest.For([(SetPin)null!], null) },
        { "an unknown state", static () => CommandRequest.For([new SetPin(1, (PinState)2)], null) },
        { "an unknown config state", static () => CommandRequest.For([new ConfigPin(1, PinMode.Output, (PinState)2)], null) },
        { "an unknown mode", static () => CommandRequest.For([new ConfigPin(1, (PinMode)2)], null) },
        { "a pulse of zero", static () => CommandRequest.For([new SetPin(1, PinState.High, TimeSpan.Zero)], null) },
        { "a pulse over a day", static () => CommandRequest.For([new SetPin(1, PinState.High, TimeSpan.FromDays(1) + TimeSpan.FromMilliseconds(1))], null) },
        { "half a millisecond", static () => CommandRequest.For([new SetPin(1, PinState.High, TimeSpan.FromMicroseconds(500))], null) },
        { "a timeout of zero", static () => CommandRequest.For([1], new CommandOptions { Timeout = TimeSpan.Zero }) },
        { "a timeout over an hour", static () => CommandRequest.For([1], new CommandOptions { Timeout = TimeSpan.FromMinutes(61) }) },
        { "an unknown edge", static () => CommandRequest.For([1], new CommandOptions { PulseConfirmedBy = (PulseEdge)9 }) },
        { "no filters", static () => CommandRules.Validate(ImmutableArray<PinFilter>.Empty) },
        { "257 filters", static () => CommandRules.Validate([.. Enumerable.Range(0, 257).Select(static pin => new PinFilter(pin))]) },
        { "overlap, the wide one first", static () => CommandRules.Validate([new PinFilter(), new PinFilter(1)]) },
        { "overlap, the wide one last", static () => CommandRules.Validate([new PinFilter(1), new PinFilter()]) },
        { "overlap by different parts", static () => CommandRules.Validate([new PinFilter(State: PinState.High), new PinFilter(1)]) },
        { "a wait of zero", static () => CommandRules.Validate(new WaitOptions { Timeout = TimeSpan.Zero }) },
    };

    [Theory, MemberData(nameof(Refused))]
    public void Validate_BadArgument_ThrowsArgumentException(string what, Action act)
    {
        Assert.NotEmpty(what);
        Assert.ThrowsAny<ArgumentException>(act);
    }

    [Fact]
    public void Validate_Limits_AreAccepted()
    {
        CommandRequest.For([.. Enumerable.Range(0, 256)], new CommandOptions { Timeout = CommandOptions.MaxTimeout });
        CommandRequest.For(default(ImmutableArray<int>), null);
        CommandRequest.For([new SetPin(1, PinState.High, TimeSpan.FromDays(1)), new SetPin(2, PinState.Low, TimeSpan.FromMilliseconds(1))], null);
        CommandRules.Validate([new PinFilter(1, State: PinState.High), new PinFilter(1, State: PinState.Low), new PinFilter(2)]);
    }

    [Theory]
    [InlineData(PulseEdge.First, 0)]
    [InlineData(PulseEdge.Return, 7)]
    [InlineData(PulseEdge.Either, 7)]
    public void For_Pulses_LongestIsAddedWhenItsWayBackCounts(PulseEdge edge, int seconds) =>
        Assert.Equal(
            TimeSpan.FromSeconds(seconds),
            CommandRequest.For(
                [new SetPin(1, PinState.High, TimeSpan.FromSeconds(2)), new(2, PinState.High, TimeSpan.FromSeconds(7)), new(3, PinState.Low)],
                new CommandOptions { PulseConfirmedBy = edge }).ExtraWait);
}
