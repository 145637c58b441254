using System.CommandLine;
using MqttDeviceCluster.Cli.Output;
using MqttDeviceCluster.Cli.Parsing;

namespace MqttDeviceCluster.Cli.Commands;

/// <summary>Asks a person whether what cannot be undone is really meant.</summary>
internal static class Confirmation
{
    public static Option<bool> Option() => Parsers.Flag("--yes", "Do not ask. Needed where nobody can be asked.");

    /// <param name="environment">Where to ask.</param>
    /// <param name="question">The question.</param>
    /// <param name="subject">What it is about, after "nobody can be asked".</param>
    /// <param name="declined">What a no means.</param>
    /// <param name="cancellationToken">Ends the wait for an answer.</param>
    /// <exception cref="BadInputException">Nobody can be asked.</exception>
    /// <exception cref="DeclinedException">The answer was not yes.</exception>
    public static async Task AskAsync(
        CliEnvironment environment, string question, string subject, string declined, CancellationToken cancellationToken)
    {
        if (environment.Answers is not { } answers)
        {
            throw new BadInputException($"nobody can be asked {subject}: give --yes");
        }

        // Standard output is for the answer of the command.
        environment.Error.Write($"{question} [y/N] ");
        environment.Error.Flush();

        // A line that is being typed cannot be cancelled, but it can be left alone.
        var answer = await Task.Run(answers.ReadLine, CancellationToken.None).WaitAsync(cancellationToken);
        if (!string.Equals(answer?.Trim(), "y", StringComparison.OrdinalIgnoreCase)
            && !string.Equals(answer?.Trim(), "yes", StringComparison.OrdinalIgnoreCase))
        {
            throw new DeclinedException(declined);
        }
    }
}
