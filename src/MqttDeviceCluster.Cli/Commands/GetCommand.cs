using System.CommandLine;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class GetCommand : SendingCommand
{
    private readonly Argument<string[]> _pins = Pins("PIN", "Up to 256 pins; none asks for all.", required: false);

    public GetCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "get",
            "Ask the device for its pins. What the cluster last heard, without asking: 'mdc show'.",
            """
            mdc get 544B3B144B8C 13 14
            mdc get 544B3B144B8C --timeout 500ms
            """,
            environment,
            common)
    {
        Add(_pins);
        AddSendingOptions();
    }

    protected override Operation Prepare(ParseResult parsed, string deviceId)
    {
        var pins = PinSpecs.Get(parsed.GetValue(_pins)!);
        var options = OptionsOf(parsed);
        return Send(options.Timeout, (cluster, token) => cluster.UpdateAsync(deviceId, pins, options, token));
    }
}
