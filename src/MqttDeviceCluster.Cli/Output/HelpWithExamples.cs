using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Globalization;
using MqttDeviceCluster.Cli.Commands;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>The library's help, and after it the examples of the command.</summary>
internal sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var configuration = parseResult.InvocationConfiguration;
        var output = configuration.Output;
        using StringWriter text = new(CultureInfo.InvariantCulture) { NewLine = output.NewLine };
        configuration.Output = text;
        var result = help.Invoke(parseResult);
        configuration.Output = output;
        output.Write(WithOptionalArguments(text.ToString(), parseResult.CommandResult.Command.Subcommands));
        if (parseResult.CommandResult.Command is IHasExamples command)
        {
            output.WriteLine("Examples:");
            foreach (var line in command.Examples.ReplaceLineEndings("\n").Split('\n'))
            {
                output.WriteLine($"  {line}");
            }
        }

        return result;
    }

    /// <summary>Its list of commands shows every argument as required; the usage of each command shows what is.</summary>
    private static string WithOptionalArguments(string help, IEnumerable<Command> commands)
    {
        foreach (var command in commands)
        {
            var shown = $"  {string.Join(' ', command.Arguments.Select(Name).Prepend(command.Name))}";
            var meant = $"  {string.Join(' ', command.Arguments.Select(Usage).Prepend(command.Name))}  ";

            // As wide as before: a column that is too narrow for more stays as it is.
            help = help.Replace(shown.PadRight(meant.Length), meant, StringComparison.Ordinal);
        }

        return help;

        static string Name(Argument argument) => $"<{argument.HelpName ?? argument.Name}>";

        static string Usage(Argument argument) => argument.Arity switch
        {
            { MinimumNumberOfValues: > 0 } => Name(argument),
            { MaximumNumberOfValues: > 1 } => $"[{Name(argument)}...]",
            _ => $"[{Name(argument)}]",
        };
    }
}
