using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using MqttDeviceCluster.Cli.Commands;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>The library's help, and after it the examples of the command.</summary>
internal sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var result = help.Invoke(parseResult);
        if (parseResult.CommandResult.Command is IHasExamples command)
        {
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (var line in command.Examples.ReplaceLineEndings("\n").Split('\n'))
            {
                output.WriteLine($"  {line}");
            }
        }

        return result;
    }
}
