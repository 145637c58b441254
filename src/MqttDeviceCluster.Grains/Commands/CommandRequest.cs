using System.Collections.Immutable;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster;

/// <summary>A validated command that has no id yet.</summary>
/// <param name="Kind">The value of the metrics' kind tag.</param>
/// <param name="Asked">What confirms it.</param>
/// <param name="Options">The caller's options.</param>
/// <param name="ExtraWait">How much longer than the timeout a confirmation may take: the longest pulse, when its way back counts.</param>
/// <param name="ToCommand">Makes the event that is published.</param>
internal sealed record CommandRequest(
    string Kind,
    ImmutableArray<PinExpectation> Asked,
    CommandOptions Options,
    TimeSpan ExtraWait,
    Func<Guid, DateTimeOffset, CancellationToken, DeviceCommand> ToCommand)
{
    public static CommandRequest For(ImmutableArray<ConfigPin> pins, CommandOptions? options)
    {
        options ??= new();
        CommandRules.Validate(pins);
        CommandRules.Validate(options);
        return new("config", PinExpectation.For(pins), options, TimeSpan.Zero,
            (id, deadline, withdrawn) => new ConfigPinsCommand(id, deadline, pins) { Withdrawn = withdrawn });
    }

    public static CommandRequest For(ImmutableArray<SetPin> pins, CommandOptions? options)
    {
        options ??= new();
        CommandRules.Validate(pins);
        CommandRules.Validate(options);
        var wayBack = options.PulseConfirmedBy == PulseEdge.First ? TimeSpan.Zero : pins.Max(static pin => pin.Time ?? TimeSpan.Zero);
        return new("set", PinExpectation.For(pins, options.PulseConfirmedBy), options, wayBack,
            (id, deadline, withdrawn) => new SetPinsCommand(id, deadline, pins) { Withdrawn = withdrawn });
    }

    public static CommandRequest For(ImmutableArray<int> pins, CommandOptions? options)
    {
        options ??= new();
        pins = pins.IsDefault ? [] : pins;
        CommandRules.Validate(pins);
        CommandRules.Validate(options);
        return new("update", PinExpectation.For(pins), options, TimeSpan.Zero,
            (id, deadline, withdrawn) => new UpdateCommand(id, deadline, pins) { Withdrawn = withdrawn });
    }
}
