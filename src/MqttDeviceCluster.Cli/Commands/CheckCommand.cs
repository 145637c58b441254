using System.CommandLine;
using System.Globalization;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>
/// Looks for retained commands at the broker itself, not by way of a silo: the time to look is before the first silo starts, or after an incident, and
/// clearing is a person's act with a person's rights.
/// </summary>
internal sealed class CheckCommand : Command, IHasExamples
{
    private static readonly string[] CommandTopics = ["device/+/pin/config", "device/+/pin/set", "device/+/pin/get"];

    private readonly BrokerOptions _broker = new();
    private readonly Option<bool> _clear = Parsers.Flag("--clear", "Clear them, each with an empty retained message, which a connected device receives too.");
    private readonly Option<bool> _yes = Confirmation.Option();

    private readonly DefaultedOption<int> _show = Parsers.Number("--show", "N", "How many topics to show.", 20, 0, 10_000);

    private readonly DefaultedOption<TimeSpan?> _quiet = Parsers.Time(
        "--quiet", "How long the broker must send nothing to be taken for done. Default 1s.", TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(1));

    private readonly CliEnvironment _environment;
    private readonly CommonOptions _common;

    public CheckCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "check",
            "Look for retained messages on command topics, straight at the broker: each acts again whenever its device connects. "
            + "The exit code is 1 when there are any left. Needs the right to read, and with --clear to publish to, device/+/pin/config, set and get.")
    {
        (_environment, _common) = (environment, common);
        _broker.AddTo(this);
        Add(_clear);
        Add(_yes);
        Add(_show);
        Add(_quiet);
        _common.AddOutputTo(this);
        SetAction(RunAsync);
    }

    public string Examples =>
        """
        mdc check --broker mqtt://broker.example:1883
        mdc check --clear
        mdc check --clear --yes --json
        """;

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var json = parsed.GetValue(_common.Json);
        try
        {
            var check = Create(parsed);
            var found = await check.FindAsync(_show.Read(parsed), cancellationToken);
            if (!parsed.GetValue(_clear) || found.Count == 0)
            {
                Write(check.Broker, found, null, json);
                return found.IsNone ? ExitCode.Done : ExitCode.Failed;
            }

            if (!parsed.GetValue(_yes))
            {
                ShowTopics(_environment.Error, found);
                await Confirmation.AskAsync(
                    _environment,
                    $"Clear {found.CountText} retained {Messages(found.Count)} on command topics of {check.Broker}?",
                    "whether to clear them",
                    "nothing was cleared",
                    cancellationToken);
            }

            var clearing = await check.ClearAsync(cancellationToken);
            Write(check.Broker, found, clearing, json);
            return clearing.Left.IsNone ? ExitCode.Done : ExitCode.Failed;
        }
        catch (Exception exception) when (exception is not OutputClosedException)
        {
            var failure = Failure.Of(exception, cancellationToken.IsCancellationRequested, "cancelled; what was cleared stays cleared");
            failure.Write(_environment.Error, json);
            return failure.ExitCode;
        }
    }

    private MqttRetainedCheck Create(ParseResult parsed)
    {
        try
        {
            return new(_broker.Read(parsed), CommandTopics, "mdc-check", _environment.TimeProvider) { Quiet = _quiet.Read(parsed)!.Value };
        }
        catch (FormatException exception)
        {
            throw new BadInputException(exception.Message);
        }
    }

    private void Write(string broker, MqttRetainedReport found, MqttRetainedClearing? clearing, bool json)
    {
        var output = _environment.Output;
        if (json)
        {
            output.WriteLine(JsonDocuments.Retained(broker, found, clearing));
        }
        else if (clearing is not null)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clearing.Cleared} retained {Messages(clearing.Cleared)} cleared on command topics of {broker}"));
            if (clearing.Left.Count > 0)
            {
                output.WriteLine($"{clearing.Left.CountText} are there again: something publishes them");
            }
            else if (!clearing.Left.IsComplete)
            {
                output.WriteLine(Unknown(broker));
            }
        }
        else if (found.Count == 0 && !found.IsComplete)
        {
            output.WriteLine(Unknown(broker));
        }
        else if (found.Count == 0)
        {
            output.WriteLine($"no retained messages on command topics of {broker}");
        }
        else
        {
            output.WriteLine(
                $"{found.CountText} retained {Messages(found.Count)} on command topics of {broker}: each acts again whenever its device connects (--clear clears them)");
            ShowTopics(output, found);
        }
    }

    private static void ShowTopics(TextWriter writer, MqttRetainedReport found)
    {
        foreach (var topic in found.Topics)
        {
            writer.WriteLine($"  {MqttRetainedReport.Show(topic)}");
        }

        if (found.Count > found.Topics.Count && found.Topics.Count > 0)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  and {found.Count - found.Topics.Count} more"));
        }
    }

    private static string Unknown(string broker) => $"whether there are retained messages on command topics of {broker} is unknown: it took too long";

    private static string Messages(long count) => count == 1 ? "message" : "messages";
}
