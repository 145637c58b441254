using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// A real Redis as a child process on loopback, with a password and with its append-only file, which keeps its port over restarts. A test on a machine without it is
/// skipped, and fails when the environment variable CI is set.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const string Password = "not-a-secret";

    private readonly ServerProcess _process = new("redis");
    private readonly string _executable;

    private RedisServer(string executable) => _executable = executable;

    /// <summary>Gets the port on 127.0.0.1.</summary>
    public int Port { get; } = FreePorts.Next();

    /// <summary>Gets the connection string with the password.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port},password={Password}");

    /// <summary>Starts a server; returns when it accepts connections.</summary>
    public static async Task<RedisServer> StartNewAsync()
    {
        RedisServer server = new(ServerProcess.Find("redis-server", "redis-server"));
        try
        {
            await server.StartAsync();
            return server;
        }
        catch (Exception)
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it again, on the same port with the same data.</summary>
    public Task StartAsync() => _process.StartAsync(
        _executable,
        [
            "--bind", "127.0.0.1",
            "--port", Port.ToString(CultureInfo.InvariantCulture),
            "--dir", _process.DirectoryPath,
            "--requirepass", Password,
            "--appendonly", "yes",
            "--appendfsync", "always",
        ],
        "Ready to accept connections");

    /// <summary>Stops it as an operator would.</summary>
    public Task StopAsync() => _process.EndAsync("TERM");

    /// <summary>Freezes it: connections stay open, and nothing answers.</summary>
    public Task SuspendAsync() => _process.SignalAsync("STOP");

    /// <summary>Lets a frozen server go on.</summary>
    public Task ResumeAsync() => _process.SignalAsync("CONT");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_process.IsRunning)
        {
            await _process.EndAsync("KILL");
        }

        await _process.DisposeAsync();
    }
}
