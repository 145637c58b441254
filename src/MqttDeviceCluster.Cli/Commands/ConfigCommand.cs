using System.CommandLine;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class ConfigCommand : SendingCommand
{
    private readonly Argument<string[]> _pins = Pins(
        "PIN=MODE[:STATE]", $"1 to 256 pins. MODE is {PinWords.ModeForm}; STATE is {PinWords.StateForm}.");

    public ConfigCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "config",
            "Put pins into modes, and wait until the device confirms.",
            """
            mdc config 544B3B144B8C 13=output:high 14=output 4=input-pull-up
            """,
            environment,
            common)
    {
        Add(_pins);
        AddSendingOptions();
    }

    protected override string RequiredPins => PinSpecs.ConfigForm;

    protected override Operation Prepare(ParseResult parsed, string deviceId)
    {
        var pins = PinSpecs.Config(parsed.GetValue(_pins)!);
        var options = OptionsOf(parsed);
        return Send(options.Timeout, (cluster, token) => cluster.ConfigPinsAsync(deviceId, pins, options, token));
    }
}
