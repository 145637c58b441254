using System.Diagnostics;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>A child process that is told what to do and answers, a line each. What it writes that is no answer (a silo's log) is passed over.</summary>
internal sealed class LineProcess : IAsyncDisposable
{
    /// <summary>What every answer begins with.</summary>
    public const string AnswerMark = "> ";

    private readonly string _name;

    private LineProcess(string name, Process process)
    {
        _name = name;
        Process = process;
    }

    public Process Process { get; }

    /// <summary>Starts it, and waits until it answers <c>ready</c>.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its command line.</param>
    /// <param name="variables">What its environment has besides that of this process, whose settings for telemetry it does not get.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<LineProcess> StartAsync(
        string name, string file, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> variables, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var setting in start.Environment.Keys.Where(static key => key.StartsWith("OTEL_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(setting);
        }

        foreach (var (key, value) in variables)
        {
            start.Environment[key] = value;
        }

        LineProcess process = new(name, Process.Start(start) ?? throw new BenchmarkException($"{name} did not start."));
        await process.ExpectAsync("ready", cancellationToken);
        return process;
    }

    /// <summary>Answers the one who started this process.</summary>
    public static async Task AnswerAsync(TextWriter output, string answer)
    {
        await output.WriteLineAsync(AnswerMark + answer);
        await output.FlushAsync();
    }

    public void Say(string line)
    {
        Process.StandardInput.Write(line + "\n");
        Process.StandardInput.Flush();
    }

    public async Task<string> ReadAsync(CancellationToken cancellationToken)
    {
        while (await Process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith(AnswerMark, StringComparison.Ordinal))
            {
                return line[AnswerMark.Length..];
            }
        }

        throw new BenchmarkException($"{_name} ended; what it wrote stands above.");
    }

    public async Task ExpectAsync(string expected, CancellationToken cancellationToken)
    {
        if (await ReadAsync(cancellationToken) is var line && line != expected)
        {
            throw new BenchmarkException($"{_name} said '{line}', not '{expected}'.");
        }
    }

    /// <summary>Closes its input, which tells it to end, and waits until it has.</summary>
    public async ValueTask DisposeAsync()
    {
        Process.StandardInput.Close();
        // It may be in the middle of a line that nobody waits for.
        await Process.StandardOutput.ReadToEndAsync();
        await Process.WaitForExitAsync();
        Process.Dispose();
    }
}
