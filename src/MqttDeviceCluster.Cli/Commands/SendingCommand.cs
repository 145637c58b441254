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

    protected SendingCommand(string name, string description, string examples, CliEnvironment environment, CommonOptions common)
        : base(name, description, examples, environment, common)
    {
    }

    protected void AddSendingOptions()
    {
        Add(_timeout);
        Add(_noWait);
        AddCommonOptions();
    }

    protected CommandOptions OptionsOf(ParseResult parsed) =>
        new() { Timeout = _timeout.Read(parsed)!.Value, Confirm = !parsed.GetValue(_noWait) };

    protected static Operation Send(TimeSpan limit, Func<IDeviceCluster, CancellationToken, Task<CommandResult>> call) =>
        new(limit, async (cluster, token) =>
        {
            var result = await call(cluster, token);
            return writer => writer.Write(result);
        });
}
