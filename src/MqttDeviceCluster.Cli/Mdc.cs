using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using MqttDeviceCluster.Cli.Commands;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli;

/// <summary>The command line: from arguments to an exit code.</summary>
internal static class Mdc
{
    /// <summary>How long a cancelled command may take to end in order.</summary>
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(6);

    /// <summary>How long a simulation may take to say goodbye for each of its devices.</summary>
    private static readonly TimeSpan SimulationTerminationTimeout = TimeSpan.FromMinutes(1);

    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, CliEnvironment environment, CancellationToken cancellationToken = default)
    {
        // An id may begin with '@': it is no response file.
        var parsed = Create(environment).Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if ((parsed.Errors.Count > 0 && parsed.Action is null or ParseErrorAction) || IsUnknownCommand(parsed))
        {
            var failure = new Failure(ExitCode.BadInput, "bad-input", Problem(parsed));
            failure.Write(environment.Error, arguments.TakeWhile(argument => argument != "--").Contains(CommonOptions.JsonName));
            return failure.ExitCode;
        }

        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = environment.Output,
                    Error = environment.Error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = environment.HandleSignals
                        ? parsed.CommandResult.Command is SimulateCommand ? SimulationTerminationTimeout : TerminationTimeout
                        : null,
                },
                cancellationToken);
        }
        catch (OutputClosedException)
        {
            return ExitCode.OutputClosed;
        }
    }

    /// <summary>With <c>--help</c> beside it, it would be no error.</summary>
    private static bool IsUnknownCommand(ParseResult parsed) => parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens.Count > 0;

    private static string Problem(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (command is RootCommand)
        {
            var names = string.Join(", ", command.Subcommands.Select(sub => sub.Name));
            return parsed.UnmatchedTokens is [var unknown, ..]
                ? $"'{PinSpecs.Shorten(unknown)}' is not a command: give one of {names} (see 'mdc --help')"
                : $"no command: give one of {names} (see 'mdc --help')";
        }

        var error = parsed.Errors[0];
        var message = command is ClusterCommand cluster && error.SymbolResult is ArgumentResult { Tokens.Count: 0 }
            && cluster.Arguments.Contains(((ArgumentResult)error.SymbolResult).Argument)
                ? cluster.MissingInput(parsed)
                : error.Message.TrimEnd('.');
        return $"{message} (see 'mdc {command.Name} --help')";
    }

    private static RootCommand Create(CliEnvironment environment)
    {
        var common = new CommonOptions(environment.Variable);
        var root = new RootCommand(
            """
            mdc: configure, set, ask, show, list, watch, wait for, check and simulate the pins of MQTT devices.

            Examples:
              mdc config 544B3B144B8C 13=output:high 14=output
              mdc set 544B3B144B8C 13=low:500ms 14=high
              mdc wait 544B3B144B8C 13=high --timeout 1m
              mdc list --presence online
              mdc watch --pin 13=high

            Exit codes: 0 done, 2 bad input, 3 not confirmed in time, 4 device offline or broker away, 5 no cluster,
            130 cancelled, 141 nobody reads the output any more, 1 anything else. Errors are one line on standard error.
            """)
        {
            new ConfigCommand(environment, common),
            new SetCommand(environment, common),
            new GetCommand(environment, common),
            new ShowCommand(environment, common),
            new WaitCommand(environment, common),
            new ListCommand(environment, common),
            new WatchCommand(environment, common),
            new ForgetCommand(environment, common),
            new CheckCommand(environment, common),
            new SimulateCommand(environment, common),
        };
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }
}
