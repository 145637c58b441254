using System.CommandLine;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>A command that is one call about one device: reads its input, connects, calls, writes.</summary>
internal abstract class ClusterCommand : ConnectedCommand
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

    protected ClusterCommand(string name, string description, string examples, CliEnvironment environment, CommonOptions common)
        : base(name, description, examples, environment, common) => Add(_device);

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

    protected sealed override async Task<Run> PrepareAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var device = PinSpecs.Device(parsed.GetValue(_device)!);
        var operation = Prepare(parsed, device);
        await ConfirmAsync(parsed, device, cancellationToken);
        return async (cluster, writer, token) =>
        {
            await CallAsync(operation, cluster, writer, token);
            return ExitCode.Done;
        };
    }

    /// <summary>Asks the person whether it is really meant, where that is fitting; throws if it is not.</summary>
    protected virtual Task ConfirmAsync(ParseResult parsed, string deviceId, CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task CallAsync(
        Operation operation, IDeviceCluster cluster, ResultWriter writer, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var call = operation.Call(cluster, stop.Token);
        var limit = operation.Limit + Grace;
        try
        {
            var write = await call.WaitAsync(limit, Surroundings.TimeProvider, cancellationToken);
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
