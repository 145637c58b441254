using System.CommandLine;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class SetCommand : SendingCommand
{
    private readonly Argument<string[]> _pins = Pins(
        "PIN=STATE[:DURATION]", $"1 to 256 pins. STATE is {PinWords.StateForm}; a DURATION makes it a pulse: 500ms, 1.5s, 5m or 1h, at most 24h.");

    private readonly DefaultedOption<PulseEdge> _edge = Parsers.Word(
        "--pulse-edge",
        "Which edge confirms a pulse. For the way back, the length of the longest pulse is added to the timeout.",
        PulseEdge.First,
        ("first", PulseEdge.First),
        ("return", PulseEdge.Return),
        ("either", PulseEdge.Either));

    public SetCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "set",
            "Set output pins, and wait until the device confirms.",
            """
            mdc set 544B3B144B8C 14=high
            mdc set 544B3B144B8C 13=low:500ms 14=high     pin 13 is put back after half a second
            """,
            environment,
            common)
    {
        Add(_pins);
        Add(_edge);
        AddSendingOptions();
    }

    protected override string RequiredPins => PinSpecs.SetForm;

    protected override Operation Prepare(ParseResult parsed, string deviceId)
    {
        var pins = PinSpecs.Set(parsed.GetValue(_pins)!);
        var options = OptionsOf(parsed) with { PulseConfirmedBy = _edge.Read(parsed) };
        var pulse = options.PulseConfirmedBy == PulseEdge.First ? TimeSpan.Zero : pins.Max(pin => pin.Time ?? TimeSpan.Zero);
        return Send(options.Timeout + pulse, (cluster, token) => cluster.SetPinsAsync(deviceId, pins, options, token));
    }
}
