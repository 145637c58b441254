using System.CommandLine;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class WaitCommand : ClusterCommand
{
    private readonly Argument<string[]> _filters = Pins(
        "PIN[=[MODE:]STATE]", "1 to 256 filters that do not overlap; * matches any pin, mode or state. All of them must be matched.");

    private readonly DefaultedOption<TimeSpan?> _timeout = Parsers.Time(
        "--timeout", "How long to wait. Default 30s.", CommandOptions.MaxTimeout, WaitOptions.DefaultTimeout);

    private readonly Option<bool> _inOneUpdate = Parsers.Flag(
        "--in-one-update", "One update must match every filter. Otherwise several may, one after the other.");

    private readonly Option<bool> _orNow = Parsers.Flag(
        "--or-now", "What the cluster already holds counts too. Otherwise only updates that arrive from now on.");

    public WaitCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "wait",
            "Wait until the device reports something. Sends nothing to it.",
            """
            mdc wait 544B3B144B8C 13=high                  pin 13 is reported high
            mdc wait 544B3B144B8C 13=high 14=low --or-now  both, now or later
            mdc wait 544B3B144B8C 13=output                pin 13 is reported as an output
            mdc wait 544B3B144B8C '*=high'                 any pin is reported high
            """,
            environment,
            common)
    {
        Add(_filters);
        Add(_timeout);
        Add(_inOneUpdate);
        Add(_orNow);
        AddCommonOptions();
    }

    protected override string RequiredPins => PinSpecs.FilterForm;

    protected override Operation Prepare(ParseResult parsed, string deviceId)
    {
        var filters = PinSpecs.Filters(parsed.GetValue(_filters)!);
        var options = new WaitOptions
        {
            Timeout = _timeout.Read(parsed)!.Value,
            InOneUpdate = parsed.GetValue(_inOneUpdate),
            IncludeCurrent = parsed.GetValue(_orNow),
        };
        return new Operation(options.Timeout, async (cluster, token) =>
        {
            var updates = await cluster.WaitForAsync(deviceId, filters, options, token);
            return writer => writer.Write(deviceId, updates);
        });
    }
}
