using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// A real mosquitto as a child process: its own configuration, data directory and loopback port, which it keeps over restarts.
/// A test on a machine without mosquitto is skipped, and fails when the environment variable CI is set.
/// </summary>
public sealed class MosquittoBroker : IAsyncDisposable
{
    private const int SigTerm = 15;
    private static readonly int SigCont = OperatingSystem.IsMacOS() ? 19 : 18;
    private static readonly int SigStop = OperatingSystem.IsMacOS() ? 17 : 19;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(15);

    private readonly string _executable;
    private readonly string[] _configuration;
    private readonly string _directory;
    private readonly ConcurrentQueue<string> _log = new();
    private Process? _process;

    private MosquittoBroker(string executable, string[] configuration)
    {
        _executable = executable;
        _configuration = configuration;
        _directory = Directory.CreateTempSubdirectory("mosquitto-test-").FullName;
    }

    /// <summary>Gets the port on 127.0.0.1.</summary>
    public int Port { get; private set; }

    /// <summary>Gets the address without credentials: <c>mqtt://127.0.0.1:port</c>.</summary>
    public string ConnectionString => $"mqtt://127.0.0.1:{Port}";

    /// <summary>Gets the directory with its configuration and data, deleted on disposal. Password or certificate files may go here.</summary>
    public string DirectoryPath => _directory;

    /// <summary>Gets what the broker wrote so far, over all its runs.</summary>
    public string Log => string.Join('\n', _log);

    /// <summary>Gets the id of the running process.</summary>
    public int ProcessId => Running.Id;

    private Process Running => _process ?? throw new InvalidOperationException("The broker is not running.");

    /// <summary>Starts a broker; returns when it accepts connections.</summary>
    /// <param name="configuration">
    /// Lines of mosquitto.conf. They replace the defaults of the same name: anonymous access, persistence on, no limit to queued or
    /// inflight messages. <c>{dir}</c> stands for <see cref="DirectoryPath"/>.
    /// </param>
    public static async Task<MosquittoBroker> StartAsync(params string[] configuration)
    {
        MosquittoBroker broker = new(Find(), configuration);
        try
        {
            await broker.StartAsync();
            return broker;
        }
        catch (Exception)
        {
            await broker.DisposeAsync();
            throw;
        }
    }

    /// <summary>Prepares a broker without starting it: its port is known, and nobody listens there.</summary>
    public static MosquittoBroker Prepare(params string[] configuration) => new(Find(), configuration) { Port = FindFreePort() };

    /// <summary>Starts the broker again, on the same port with the same data.</summary>
    public async Task StartAsync()
    {
        if (_process is not null)
        {
            throw new InvalidOperationException("The broker runs already.");
        }

        // Someone may take the port between finding it free and listening on it: a first start tries others.
        var mayMove = Port == 0;
        for (var attempt = 1; ; attempt++)
        {
            if (mayMove)
            {
                Port = FindFreePort();
            }

            if (await TryStartAsync())
            {
                return;
            }

            if (attempt == (mayMove ? 5 : 1))
            {
                throw new InvalidOperationException($"mosquitto did not start on port {Port}:\n{Log}");
            }
        }
    }

    /// <summary>Stops it as an operator would (SIGTERM): connections are closed, data is saved.</summary>
    public async Task StopAsync()
    {
        Signal(SigTerm);
        await EndAsync();
    }

    /// <summary>Kills it (SIGKILL): nothing is saved.</summary>
    public async Task KillAsync()
    {
        Running.Kill();
        await EndAsync();
    }

    /// <summary>Stops it and starts it again.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    /// <summary>Freezes it (SIGSTOP): connections stay open, and nothing answers.</summary>
    public void Suspend() => Signal(SigStop);

    /// <summary>Lets a frozen broker go on (SIGCONT).</summary>
    public void Resume() => Signal(SigCont);

    /// <summary>Gets the path of an installed program, or skips the test; fails it when CI is set.</summary>
    /// <param name="program">A program of Debian's <c>mosquitto-clients</c>, such as <c>mosquitto_pub</c>, or <c>mosquitto</c>.</param>
    public static string Find(string program = "mosquitto")
    {
        var directories = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        foreach (var directory in directories.Concat(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"]))
        {
            var path = Path.Combine(directory, program);
            if (File.Exists(path))
            {
                return path;
            }
        }

        var reason = $"{program} is not installed (Debian packages: mosquitto, mosquitto-clients).";
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI")))
        {
            Assert.Fail(reason);
        }

        Assert.Skip(reason);
        return "";
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private async Task<bool> TryStartAsync()
    {
        var file = Path.Combine(_directory, "mosquitto.conf");
        await File.WriteAllLinesAsync(file, ConfigurationLines());

        // Its log says when the listener is open: a probe of the port could meet somebody else's.
        TaskCompletionSource<bool> started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Process process = new()
        {
            StartInfo = new ProcessStartInfo(_executable, ["-c", file]) { RedirectStandardError = true, RedirectStandardOutput = true },
            EnableRaisingEvents = true,
        };
        process.Exited += (_, _) => started.TrySetResult(false);
        process.ErrorDataReceived += (_, line) => Read(line.Data);
        process.OutputDataReceived += (_, line) => Read(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _process = process;

        if (await started.Task.WaitAsync(Bound))
        {
            return true;
        }

        await EndAsync();
        return false;

        void Read(string? line)
        {
            if (line is null)
            {
                return;
            }

            _log.Enqueue(line);
            if (line.EndsWith(" running", StringComparison.Ordinal))
            {
                started.TrySetResult(true);
            }
        }
    }

    private IEnumerable<string> ConfigurationLines()
    {
        string[] defaults =
        [
            // As root, mosquitto gives its rights away and then cannot write its data.
            "user root",
            "persistence true",
            $"persistence_location {_directory}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "log_type information",
            $"listener {Port} 127.0.0.1",
            "allow_anonymous true",
        ];
        var given = _configuration.Select(line => line.Replace("{dir}", _directory, StringComparison.Ordinal)).ToList();
        var names = given.Select(Name).ToHashSet(StringComparer.Ordinal);
        return defaults.Where(line => !names.Contains(Name(line)) || Name(line) == "listener").Concat(given);

        static string Name(string line) => line.Split(' ', 2)[0];
    }

    private async Task EndAsync()
    {
        using var process = Running;
        _process = null;
        using CancellationTokenSource bound = new(Bound);
        try
        {
            await process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"mosquitto did not end within {Bound}:\n{Log}");
        }
    }

    private void Signal(int signal)
    {
        if (SendSignal(Running.Id, signal) != 0)
        {
            throw new InvalidOperationException($"Signal {signal} could not be sent: error {Marshal.GetLastPInvokeError()}.");
        }
    }

    // Ports that the system gives to outgoing connections (from 32768 on) are avoided: one of those could sit on ours while the broker is down.
    private static int FindFreePort()
    {
        for (var attempt = 0; attempt < 1000; attempt++)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken: try another.
            }
        }

        throw new InvalidOperationException("No free port found.");
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int SendSignal(int processId, int signal);
}
