using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>A mosquitto of our own, as a child process on a free loopback port, without limits to queues and windows.</summary>
internal sealed class Mosquitto : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    private readonly string _directory;

    private Mosquitto(string directory, int port, Process process)
    {
        _directory = directory;
        Url = new Uri($"mqtt://127.0.0.1:{port}");
        Process = process;
    }

    public Uri Url { get; }

    public Process Process { get; }

    /// <exception cref="BenchmarkException">It is not installed, or does not start.</exception>
    public static async Task<Mosquitto> StartAsync(CancellationToken cancellationToken)
    {
        var executable = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Concat(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"])
            .Select(directory => Path.Combine(directory, "mosquitto"))
            .FirstOrDefault(File.Exists)
            ?? throw new BenchmarkException("mosquitto is not installed (Debian package: mosquitto). Install it, or name a broker with --broker.");
        var directory = Directory.CreateTempSubdirectory("mdc-bench-broker-").FullName;
        var port = FreePort.Find(1)[0];
        var configuration = Path.Combine(directory, "mosquitto.conf");
        await File.WriteAllTextAsync(
            configuration,
            $"""
            listener {port} 127.0.0.1
            allow_anonymous true
            persistence false
            max_inflight_messages 0
            max_queued_messages 0
            set_tcp_nodelay true
            log_type error
            log_type warning

            """,
            cancellationToken);
        var process = Process.Start(new ProcessStartInfo(executable, ["-c", configuration]) { RedirectStandardError = false })
            ?? throw new BenchmarkException("mosquitto did not start.");
        Mosquitto broker = new(directory, port, process);
        var started = Stopwatch.GetTimestamp();
        while (!await ListensAsync(port, cancellationToken))
        {
            if (process.HasExited || Stopwatch.GetElapsedTime(started) > Bound)
            {
                await broker.DisposeAsync();
                throw new BenchmarkException($"mosquitto did not start on port {port}; what it wrote stands above.");
            }

            await Task.Delay(20, cancellationToken);
        }

        return broker;
    }

    public async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
            await Process.WaitForExitAsync();
        }

        Process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task<bool> ListensAsync(int port, CancellationToken cancellationToken)
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
