using System.CommandLine;
using System.CommandLine.Parsing;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>A command that asks something of a cluster: reads its input, connects, calls, writes.</summary>
internal abstract class ClusterCommand : Command, IHasExamples
{
    /// <summary>
    /// What is granted to the cluster beyond the timeout it was given: it keeps the time itself, and only one that hangs is cut off here.
    /// </summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>How long a cancellation may take to reach the cluster before the connection is closed.</summary>
    private static readonly TimeSpan CancellationGrace = TimeSpan.FromMilliseconds(200);

    private readonly Argument<string> _device = new("DEVICE")
    {
        Description = "The device id, such as 544B3B144B8C. Case and leading zeros matter.",
        Arity = ArgumentArity.ExactlyOne,
    };

    private readonly CliEnvironment _environment;
    private readonly CommonOptions _common;

    protected ClusterCommand(string name, string description, string examples, CliEnvironment environment, CommonOptions common)
        : base(name, description)
    {
        (Examples, _environment, _common) = (examples, environment, common);
        Add(_device);
        SetAction(RunAsync);
    }

    public string Examples { get; }

    /// <summary>Gets what its pins look like, when it cannot do without; otherwise <see langword="null"/>.</summary>
    protected virtual string? RequiredPins => null;

    /// <summary>Says which input is missing, in better words than the parser.</summary>
    public string MissingInput(ParseResult parsed) => parsed.GetResult(_device) is not { Tokens.Count: > 0 }
        ? "no device: give its id, such as 544B3B144B8C"
        : $"no pins: give {RequiredPins}";

    /// <summary>Reads the rest of the input, before anything is connected.</summary>
    /// <returns>What to do then: a call bounded by the given time, that writes its result.</returns>
    protected abstract Operation Prepare(ParseResult parsed, string deviceId);

    protected static Argument<string[]> Pins(string name, string description, bool required = true) => new(name)
    {
        Description = description,
        Arity = required ? ArgumentArity.OneOrMore : ArgumentArity.ZeroOrMore,
    };

    protected void AddCommonOptions() => _common.AddClusterTo(this);

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var json = parsed.GetValue(_common.Json);
        try
        {
            RefuseUnknownOptions(parsed);
            var device = PinSpecs.Device(parsed.GetValue(_device)!);
            var operation = Prepare(parsed, device);
            var connection = await _environment.Connector.ConnectAsync(_common.Settings(parsed), cancellationToken);
            await using (connection)
            {
                await CallAsync(operation, connection.Cluster, new ResultWriter(_environment, json), cancellationToken);
            }

            return ExitCode.Done;
        }
        catch (Exception exception)
        {
            var failure = Failure.Of(exception, cancellationToken.IsCancellationRequested);
            failure.Write(_environment.Error, json);
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

    private async Task CallAsync(
        Operation operation, IDeviceCluster cluster, ResultWriter writer, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var call = operation.Call(cluster, stop.Token);
        var limit = operation.Limit + Grace;
        try
        {
            var write = await call.WaitAsync(limit, _environment.TimeProvider, cancellationToken);
            write(writer);
        }
        catch (Exception) when (!call.IsCompleted)
        {
            await stop.CancelAsync();
            // The cancellation has to leave before the connection does, or a command in line would still be published.
            await Task.WhenAny(call, Task.Delay(CancellationGrace, CancellationToken.None));
            cancellationToken.ThrowIfCancellationRequested();
            throw new TimeoutException(
                $"The cluster did not answer within {limit.TotalSeconds:0.###} s. Whether the command took effect is unknown.");
        }
    }

    /// <summary>A call and what to do with its answer.</summary>
    /// <param name="Limit">How long the cluster itself may take.</param>
    /// <param name="Call">Calls the cluster, and returns how to write the answer.</param>
    internal sealed record Operation(TimeSpan Limit, Func<IDeviceCluster, CancellationToken, Task<Action<ResultWriter>>> Call);
}
