using System.CommandLine;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class ShowCommand : ClusterCommand
{
    private readonly DefaultedOption<TimeSpan?> _timeout = Parsers.Time(
        "--timeout", "How long the cluster may take to answer. Default 5s.", CommandOptions.MaxTimeout, CommandOptions.DefaultTimeout);

    public ShowCommand(CliEnvironment environment, CommonOptions common)
        : base(
            "show",
            "Show what the cluster last heard of a device, without asking the device.",
            """
            mdc show 544B3B144B8C --json
            """,
            environment,
            common)
    {
        Add(_timeout);
        AddCommonOptions();
    }

    protected override Operation Prepare(ParseResult parsed, string deviceId) => new(
        _timeout.Read(parsed)!.Value,
        async (cluster, token) =>
        {
            var snapshot = await cluster.GetSnapshotAsync(deviceId, token);
            return writer => writer.Write(snapshot);
        });
}
