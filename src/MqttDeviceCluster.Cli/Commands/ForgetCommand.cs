using System.CommandLine;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class ForgetCommand : ClusterCommand
{
    private readonly Option<bool> _yes = Confirmation.Option();

    private readonly DefaultedOption<TimeSpan?> _timeout = Parsers.Time(
        "--timeout", "How long the cluster may take to answer. Default 5s.", CommandOptions.MaxTimeout, CommandOptions.DefaultTimeout);

    public ForgetCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "forget",
            "Remove a device and what is stored of it. What the broker keeps for it is left alone, and if it sends again it is a new device.",
            """
            mdc forget 544B3B144B8C
            mdc forget 544B3B144B8C --yes
            """,
            environment,
            common)
    {
        Add(_yes);
        Add(_timeout);
        AddCommonOptions();
    }

    protected override string CancelledMessage => "cancelled; the device may be forgotten or not";

    protected override Task ConfirmAsync(ParseResult parsed, string deviceId, CancellationToken cancellationToken) => parsed.GetValue(_yes)
        ? Task.CompletedTask
        : Confirmation.AskAsync(
            Surroundings, $"Forget device '{deviceId}' and all that is stored of it?", "whether to forget the device", "nothing was forgotten", cancellationToken);

    protected override Operation Prepare(ParseResult parsed, string deviceId) => new(
        _timeout.Read(parsed)!.Value,
        async (cluster, token) =>
        {
            var forgotten = await cluster.ForgetAsync(deviceId, token);
            return writer => writer.WriteForgotten(deviceId, forgotten);
        });
}
