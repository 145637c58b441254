using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>A server of the machine as a child process, in a directory of its own that is deleted at the end.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    /// <summary>Generous: the machine may be busy with other tests. Reaching it is a failure.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<string> _log = new();
    private Process? _process;

    public ServerProcess(string name)
    {
        Name = name;
        DirectoryPath = Directory.CreateTempSubdirectory($"{name}-test-").FullName;
    }

    public string Name { get; }

    public string DirectoryPath { get; }

    /// <summary>Gets the signal of the disposal. A program of .NET keeps to a SIGQUIT that was ignored when it began, as it is where a script starts the tests in the background.</summary>
    public string LastSignal { get; init; } = "QUIT";

    /// <summary>Gets what the server wrote so far, over all its runs.</summary>
    public string Log => string.Join('\n', _log);

    public bool IsRunning => _process is not null;

    /// <summary>Gets the id of the running process.</summary>
    public int ProcessId => Running.Id;

    private Process Running => _process ?? throw new InvalidOperationException($"{Name} is not running.");

    /// <summary>Gets the path of an installed program, or skips the test; fails it when CI is set.</summary>
    public static string Find(string program, string package, params IEnumerable<string> directories)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        foreach (var file in directories.Concat(path).Select(directory => Path.Combine(directory, program)).Where(File.Exists))
        {
            return file;
        }

        var reason = $"{program} is not installed (Debian package: {package}).";
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI")))
        {
            Assert.Fail(reason);
        }

        Assert.Skip(reason);
        return "";
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task RunAsync(string file, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource bound = new(Bound);
        try
        {
            await process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            // Else it goes on, and works in a directory that is being deleted.
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            throw new TimeoutException($"{file} did not end within {Bound}.");
        }

        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{file} ended with {process.ExitCode}:\n{await output}\n{await error}");
        }
    }

    /// <summary>Starts the server; returns when it wrote <paramref name="ready"/>.</summary>
    public Task StartAsync(string file, IEnumerable<string> arguments, string ready) =>
        StartAsync(file, arguments, line => line.Contains(ready, StringComparison.Ordinal));

    /// <summary>Starts the server; returns when it wrote a line that <paramref name="isReady"/> accepts.</summary>
    /// <exception cref="InvalidOperationException">It ended before; the message holds what it wrote. <see cref="EndAsync"/> clears it away.</exception>
    public async Task StartAsync(string file, IEnumerable<string> arguments, Predicate<string> isReady)
    {
        // Its log says when it listens: a probe of the port could meet somebody else's.
        TaskCompletionSource<bool> started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Process process = new()
        {
            StartInfo = new ProcessStartInfo(file, arguments) { RedirectStandardError = true, RedirectStandardOutput = true },
            EnableRaisingEvents = true,
        };
        process.Exited += (_, _) => started.TrySetResult(false);
        process.ErrorDataReceived += (_, line) => Read(line.Data);
        process.OutputDataReceived += (_, line) => Read(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _process = process;
        if (!await started.Task.WaitAsync(Bound))
        {
            throw new InvalidOperationException($"{Name} did not start:\n{Log}");
        }

        void Read(string? line)
        {
            if (line is null)
            {
                return;
            }

            _log.Enqueue(line);
            if (isReady(line))
            {
                started.TrySetResult(true);
            }
        }
    }

    /// <summary>Sends a signal by name, waits until the server is gone, and returns its exit code.</summary>
    public async Task<int> EndAsync(string signal)
    {
        using var process = Running;
        _process = null;
        if (!process.HasExited)
        {
            await RunAsync("kill", $"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture));
        }

        using CancellationTokenSource bound = new(Bound);
        try
        {
            await process.WaitForExitAsync(bound.Token);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"{Name} did not end within {Bound}:\n{Log}");
        }
    }

    /// <summary>Freezes the server (<c>STOP</c>): connections stay open, and nothing answers; or lets it go on (<c>CONT</c>).</summary>
    public Task SignalAsync(string signal) => RunAsync("kill", $"-{signal}", ProcessId.ToString(CultureInfo.InvariantCulture));

    /// <inheritdoc cref="SignalAsync"/>
    public void Signal(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", ProcessId.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        if (kill.ExitCode != 0)
        {
            throw new InvalidOperationException($"Signal {signal} could not be sent to {Name}.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
        {
            await EndAsync(LastSignal);
        }

        Directory.Delete(DirectoryPath, recursive: true);
    }
}
