using System.Diagnostics;
using System.Text;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>Programs that are run to their end, and what they wrote.</summary>
internal static class CommandRun
{
    /// <summary>Generous: on a busy machine others build and test as well. Reaching it is a failure.</summary>
    private static readonly TimeSpan DefaultBound = TimeSpan.FromMinutes(8);

    /// <summary>What has a build start no process that outlives it, but for the compiler: starting one for each project takes most of the time.</summary>
    public static readonly IReadOnlyList<string> SharingTheCompiler = ["-nodeReuse:false", "-p:UseSharedCompilation=true"];

    /// <summary>Runs a program and returns what it wrote to standard output.</summary>
    /// <exception cref="InvalidOperationException">It did not end with 0, or not in time; the message holds what it wrote.</exception>
    public static async Task<string> RunAsync(
        string file, IEnumerable<string> arguments, string? workingDirectory = null, IReadOnlyDictionary<string, string?>? environment = null, TimeSpan? bound = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? Path.GetTempPath(),
        };

        // What the dotnet that runs the tests tells its own children is not for another one.
        foreach (var name in start.Environment.Keys.Where(static name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        var shown = $"{file} {string.Join(' ', start.ArgumentList)}";
        StringBuilder error = new();
        using var process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, line) => error.AppendLine(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        var output = process.StandardOutput.ReadToEndAsync();
        using CancellationTokenSource timeout = new(bound ?? DefaultBound);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"'{shown}' did not end in time:\n{await output}\n{error}");
        }

        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"'{shown}' ended with {process.ExitCode}:\n{await output}\n{error}");
    }
}
