using System.CommandLine;
using MqttDeviceCluster.Cli.Parsing;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>The options of <c>mdc simulate</c>: which devices, where, and how they answer.</summary>
internal sealed class SimulationOptions
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromHours(1);

    private readonly DefaultedOption<Uri> _broker = Parsers.Broker();

    private readonly DefaultedOption<int> _devices = Parsers.Number("--devices", "N", "How many devices.", 1, 1, 1_000_000);

    private readonly Option<string[]> _ids = new("--id")
    {
        HelpName = "ID",
        Description = "A device id; repeat it for several. Then --devices is not needed.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string> _idPrefix = new("--id-prefix")
    {
        HelpName = "TEXT",
        Description = "How made-up ids begin; a number from 1 in hexadecimal follows.",
        DefaultValueFactory = _ => SimulatedFleetOptions.DefaultIdPrefix,
    };

    private readonly DefaultedOption<int> _connections = Parsers.Number(
        "--connections", "N", "How many connections they share. 0: one each up to 100 devices, otherwise one.", 0, 0, 100_000);

    private readonly Option<bool> _wildcard = Parsers.Flag("--wildcard", "Subscribe by wildcard, for very many devices on one connection.");

    private readonly DefaultedOption<SimulatedMqttVersion> _version = Parsers.Word(
        "--mqtt", "The MQTT version.", SimulatedMqttVersion.V5, ("5", SimulatedMqttVersion.V5), ("3.1.1", SimulatedMqttVersion.V311));

    private readonly DefaultedOption<int> _qos = Parsers.Number("--qos", "N", "The quality of service of updates and subscriptions.", 1, 0, 1);

    private readonly DefaultedOption<UpdateSplit> _split = Parsers.Word(
        "--split",
        "How an answer is cut into updates.",
        UpdateSplit.Together,
        ("together", UpdateSplit.Together),
        ("per-pin", UpdateSplit.PerPin),
        ("random", UpdateSplit.Random));

    private readonly DefaultedOption<PulseReports> _pulses = Parsers.Word(
        "--pulses",
        "Which edges of a pulse are reported.",
        PulseReports.Both,
        ("first", PulseReports.FirstEdge),
        ("return", PulseReports.WayBack),
        ("both", PulseReports.Both),
        ("none", PulseReports.None));

    private readonly DefaultedOption<StatusStyle> _status = Parsers.Word(
        "--status",
        "How a device announces itself. Only one with a connection of its own has a last will: a simulation that is killed leaves the others online.",
        StatusStyle.Json,
        ("json", StatusStyle.Json),
        ("word", StatusStyle.Word),
        ("none", StatusStyle.None));

    private readonly DefaultedOption<TimeSpan?> _delay = Parsers.Time("--delay", "How long an update takes to leave the device. Default: none.", MaxDelay);

    private readonly DefaultedOption<TimeSpan?> _jitter = Parsers.Time("--jitter", "How much is added to the delay, at random. Default: none.", MaxDelay);

    private readonly DefaultedOption<TimeSpan?> _report = Parsers.Time(
        "--report-interval", "How often each device reports all its pins unasked. Default: never.", TimeSpan.FromDays(1));

    private readonly DefaultedOption<int> _copies = Parsers.Number("--copies", "N", "How many times each update is sent.", 1, 1, 100);

    private readonly DefaultedOption<int> _badPayloads = Parsers.Number(
        "--bad-payloads", "PERCENT", "How many answers in a hundred are preceded by a payload that breaks the protocol.", 0, 0, 100);

    private readonly DefaultedOption<int> _seed = Parsers.Number("--seed", "N", "The seed of everything random.", 0, int.MinValue, int.MaxValue);

    private readonly Option<bool> _silent = Parsers.Flag("--silent", "Act on commands but never answer.");
    private readonly Option<bool> _reorder = Parsers.Flag("--reorder", "Let updates overtake each other.");
    private readonly Option<bool> _retain = Parsers.Flag("--retain", "Publish updates with the retain flag.");
    private readonly Option<bool> _extraFields = Parsers.Flag("--extra-fields", "Add rssi and voice_call_state to updates.");
    private readonly Option<bool> _envelope = Parsers.Flag("--envelope", "Send updates as {\"boot\":…,\"seq\":…,\"pins\":[…]}.");
    private readonly Option<bool> _echo = Parsers.Flag("--echo", "Echo the Correlation Data of commands.");
    private readonly Option<bool> _honorDeadline = Parsers.Flag("--honor-deadline", "Leave a command undone that arrives after its deadline.");

    public void AddTo(Command command)
    {
        Option[] options =
        [
            _broker, _devices, _ids, _idPrefix, _connections, _wildcard, _version, _qos, _split, _pulses, _status, _delay, _jitter, _report,
            _copies, _badPayloads, _silent, _reorder, _retain, _extraFields, _envelope, _echo, _honorDeadline, _seed,
        ];
        foreach (var option in options)
        {
            command.Add(option);
        }
    }

    public SimulatedFleetOptions Read(ParseResult parsed)
    {
        var behavior = new DeviceBehavior
        {
            Split = _split.Read(parsed),
            Pulses = _pulses.Read(parsed),
            Status = _status.Read(parsed),
            Delay = _delay.Read(parsed) ?? TimeSpan.Zero,
            Jitter = _jitter.Read(parsed) ?? TimeSpan.Zero,
            Copies = _copies.Read(parsed),
            BadPayloadShare = _badPayloads.Read(parsed) / 100.0,
            Silent = parsed.GetValue(_silent),
            Reorder = parsed.GetValue(_reorder),
            RetainUpdates = parsed.GetValue(_retain),
            ExtraFields = parsed.GetValue(_extraFields),
            Envelope = parsed.GetValue(_envelope),
            Echo = parsed.GetValue(_echo),
            HonorDeadline = parsed.GetValue(_honorDeadline),
            ReportsOnConnect = true,
        };
        return new SimulatedFleetOptions
        {
            Broker = _broker.Read(parsed),
            Count = _devices.Read(parsed),
            Ids = [.. (parsed.GetValue(_ids) ?? []).Select(PinSpecs.Device)],
            IdPrefix = parsed.GetValue(_idPrefix)!,
            Connections = _connections.Read(parsed),
            Subscription = parsed.GetValue(_wildcard) ? FleetSubscription.Wildcard : FleetSubscription.PerDevice,
            MqttVersion = _version.Read(parsed),
            QualityOfService = _qos.Read(parsed),
            ReportInterval = _report.Read(parsed),
            Seed = _seed.Read(parsed),
            Behavior = behavior,
            // Whoever types the command wants to hear of a broker that is not there; after that the fleet heals by itself.
            Reconnect = ReconnectPolicy.OnceConnected,
        };
    }
}
