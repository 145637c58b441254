using System.CommandLine;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

internal sealed class ForgetCommand : ClusterCommand
{
    private readonly Option<bool> _yes = Parsers.Flag("--yes", "Do not ask. Needed where nobody can be asked.");

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

    protected override async Task ConfirmAsync(ParseResult parsed, string deviceId, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(_yes))
        {
            return;
        }

        if (Surroundings.Answers is not { } answers)
        {
            throw new BadInputException("nobody can be asked whether to forget the device: give --yes");
        }

        // Standard output is for the answer of the cluster.
        Surroundings.Error.Write($"Forget device '{deviceId}' and all that is stored of it? [y/N] ");
        Surroundings.Error.Flush();

        // A line that is being typed cannot be cancelled, but it can be left alone.
        var answer = await Task.Run(answers.ReadLine, CancellationToken.None).WaitAsync(cancellationToken);
        if (!string.Equals(answer?.Trim(), "y", StringComparison.OrdinalIgnoreCase)
            && !string.Equals(answer?.Trim(), "yes", StringComparison.OrdinalIgnoreCase))
        {
            throw new DeclinedException("nothing was forgotten");
        }
    }

    protected override Operation Prepare(ParseResult parsed, string deviceId) => new(
        _timeout.Read(parsed)!.Value,
        async (cluster, token) =>
        {
            var forgotten = await cluster.ForgetAsync(deviceId, token);
            return writer => writer.WriteForgotten(deviceId, forgotten);
        });
}
