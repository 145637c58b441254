using System.CommandLine;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>A command that publishes something to the device.</summary>
internal abstract class SendingCommand : ClusterCommand
{
    private readonly DefaultedOption<TimeSpan?> _timeout = Parsers.Time(
        "--timeout",
        "How long the whole command may take, the wait in line included. Default 5s.",
        CommandOptions.MaxTimeout,
        CommandOptions.DefaultTimeout);

    private readonly Option<bool> _noWait = Parsers.Flag(
        "--no-wait", "Return as soon as the broker took the command; the device is not waited for.");

    private readonly DefaultedOption<WhenOffline> _whenOffline = Parsers.Word(
        "--when-offline",
        "Whether a command for a device that is known to be offline is sent all the same, or fails at once with exit code 4.",
        WhenOffline.Send,
        ("send", WhenOffline.Send),
        ("fail", WhenOffline.Fail));

    protected SendingCommand(string name, string description, string examples, CliEnvironment environment, CommonOptions common)
        : base(name, description, examples, environment, common)
    {
    }

    protected void AddSendingOptions()
    {
        Add(_timeout);
        Add(_noWait);
        Add(_whenOffline);
        AddCommonOptions();
    }

    protected CommandOptions OptionsOf(ParseResult parsed) => new()
    {
        Timeout = _timeout.Read(parsed)!.Value,
        Confirm = !parsed.GetValue(_noWait),
        WhenOffline = _whenOffline.Read(parsed),
    };

    protected static Operation Send(TimeSpan limit, Func<IDeviceCluster, CancellationToken, Task<CommandResult>> call) =>
        new(limit, async (cluster, token) =>
        {
            var result = await call(cluster, token);
            return writer => writer.Write(result);
        });
}
