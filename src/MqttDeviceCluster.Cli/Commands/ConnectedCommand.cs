using System.CommandLine;
using System.CommandLine.Parsing;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>A command that needs a cluster: reads its input, connects, runs, and tells how it failed.</summary>
internal abstract class ConnectedCommand : Command, IHasExamples
{
    private readonly CommonOptions _common;

    protected ConnectedCommand(string name, string description, string examples, CliEnvironment environment, CommonOptions common)
        : base(name, description)
    {
        (Examples, Surroundings, _common) = (examples, environment, common);
        SetAction(RunAsync);
    }

    /// <summary>What to do with the cluster; returns the exit code.</summary>
    protected delegate Task<int> Run(IDeviceCluster cluster, ResultWriter writer, CancellationToken cancellationToken);

    public string Examples { get; }

    protected CliEnvironment Surroundings { get; }

    /// <summary>Gets whether the connection must outlive its silo: a lost one is looked for, and every gateway counts, also one that is away now.</summary>
    protected virtual bool Stays => false;

    /// <summary>Gets what a cancelled run says.</summary>
    protected virtual string CancelledMessage => Failure.CancelledWhileSending;

    /// <summary>Reads the input, before anything is connected.</summary>
    protected abstract Task<Run> PrepareAsync(ParseResult parsed, CancellationToken cancellationToken);

    protected void AddCommonOptions() => _common.AddClusterTo(this);

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var json = parsed.GetValue(_common.Json);
        try
        {
            RefuseUnknownOptions(parsed);
            var run = await PrepareAsync(parsed, cancellationToken);
            var connection = await Surroundings.Connector.ConnectAsync(_common.Settings(parsed) with { Stays = Stays }, cancellationToken);
            await using (connection)
            {
                return await run(connection.Cluster, new ResultWriter(Surroundings, json), cancellationToken);
            }
        }
        catch (Exception exception) when (exception is not OutputClosedException)
        {
            var failure = Failure.Of(exception, cancellationToken.IsCancellationRequested, CancelledMessage);
            failure.Write(Surroundings.Error, json);
            return failure.ExitCode;
        }
    }

    /// <summary>A mistyped option must not become a device or a pin: <c>mdc set --no-wiat …</c>.</summary>
    private static void RefuseUnknownOptions(ParseResult parsed)
    {
        foreach (var token in parsed.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash))
        {
            if (token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value[0] == '-' && !char.IsAsciiDigit(token.Value[1]))
            {
                throw new BadInputException(
                    $"'{PinSpecs.Shorten(token.Value)}' is not an option (before an id that begins with '-', put --)");
            }
        }
    }
}
