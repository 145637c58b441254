using System.Diagnostics;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>A server of the machine as a child process, in a directory of its own that is deleted at the end.</summary>
internal sealed class ChildServer : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly string _name;
    private Process? _process;

    public ChildServer(string name)
    {
        _name = name;
        DirectoryPath = Directory.CreateTempSubdirectory($"mdc-bench-{name}-").FullName;
    }

    public string DirectoryPath { get; }

    public Process Process => _process ?? throw new InvalidOperationException($"{_name} is not running.");

    /// <summary>Returns the path of an installed program.</summary>
    /// <exception cref="BenchmarkException">It is not installed.</exception>
    public static string Find(string program, string package, params IEnumerable<string> directories) => directories
        .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        .Concat(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/opt/homebrew/sbin"])
        .Select(directory => Path.Combine(directory, program))
        .FirstOrDefault(File.Exists)
        ?? throw new BenchmarkException($"{program} is not installed (Debian package: {package}).");

    /// <summary>Runs a program to its end.</summary>
    public static async Task RunAsync(string file, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(Bound);
        if (process.ExitCode != 0)
        {
            throw new BenchmarkException($"{file} ended with {process.ExitCode}: {await output} {await error}");
        }
    }

    /// <summary>Starts the server; returns when it wrote a line that contains <paramref name="ready"/>, and what it wrote until then.</summary>
    public async Task<string> StartAsync(string file, IEnumerable<string> arguments, string ready)
    {
        TaskCompletionSource<bool> started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<string> log = [];
        _process = new()
        {
            StartInfo = new ProcessStartInfo(file, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true },
            EnableRaisingEvents = true,
        };
        _process.Exited += (_, _) => started.TrySetResult(false);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        var isUp = await started.Task.WaitAsync(Bound);
        lock (log)
        {
            var text = string.Join('\n', log);
            return isUp ? text : throw new BenchmarkException($"{_name} did not start: {text}");
        }

        void Read(string? line)
        {
            if (line is null || started.Task.IsCompleted)
            {
                return;
            }

            lock (log)
            {
                log.Add(line);
            }

            if (line.Contains(ready, StringComparison.Ordinal))
            {
                started.TrySetResult(true);
            }
        }
    }

    /// <summary>Sends a signal by name, and waits for the end.</summary>
    public async Task EndAsync(string signal)
    {
        if (_process is not { } process)
        {
            return;
        }

        _process = null;
        if (!process.HasExited)
        {
            await RunAsync("kill", $"-{signal}", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            await process.WaitForExitAsync().WaitAsync(Bound);
        }

        process.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync("QUIT");
        Directory.Delete(DirectoryPath, recursive: true);
    }
}
