using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// A real mosquitto as a child process: its own configuration, data directory and loopback port, which it keeps over restarts.
/// A test on a machine without mosquitto is skipped, and fails when the environment variable CI is set.
/// </summary>
public sealed class MosquittoBroker : IAsyncDisposable
{
    private readonly ServerProcess _process = new("mosquitto");
    private readonly string _executable;
    private readonly string[] _configuration;

    private MosquittoBroker(string executable, string[] configuration)
    {
        _executable = executable;
        _configuration = configuration;
    }

    /// <summary>Gets the port on 127.0.0.1.</summary>
    public int Port { get; private set; }

    /// <summary>Gets the address without credentials: <c>mqtt://127.0.0.1:port</c>.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"mqtt://127.0.0.1:{Port}");

    /// <summary>Gets the directory with its configuration and data, deleted on disposal. Password or certificate files may go here.</summary>
    public string DirectoryPath => _process.DirectoryPath;

    /// <summary>Gets what the broker wrote so far, over all its runs.</summary>
    public string Log => _process.Log;

    /// <summary>Gets the id of the running process.</summary>
    public int ProcessId => _process.ProcessId;

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
    public static MosquittoBroker Prepare(params string[] configuration) => new(Find(), configuration) { Port = FreePorts.Next() };

    /// <summary>Starts the broker again, on the same port with the same data.</summary>
    public async Task StartAsync()
    {
        if (_process.IsRunning)
        {
            throw new InvalidOperationException("The broker runs already.");
        }

        // Another process may take the port between finding it free and listening on it: a first start tries others.
        for (var others = Port == 0 ? 4 : 0; ; others--)
        {
            Port = Port == 0 ? FreePorts.Next() : Port;
            var file = Path.Combine(DirectoryPath, "mosquitto.conf");
            await File.WriteAllLinesAsync(file, ConfigurationLines());
            try
            {
                await _process.StartAsync(_executable, ["-c", file], line => line.EndsWith(" running", StringComparison.Ordinal));
                return;
            }
            catch (InvalidOperationException) when (others > 0)
            {
                await _process.EndAsync("KILL");
                Port = 0;
            }
        }
    }

    /// <summary>Stops it as an operator would (SIGTERM): connections are closed, data is saved.</summary>
    public Task StopAsync() => _process.EndAsync("TERM");

    /// <summary>Kills it (SIGKILL): nothing is saved.</summary>
    public Task KillAsync() => _process.EndAsync("KILL");

    /// <summary>Stops it and starts it again.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    /// <summary>Freezes it (SIGSTOP): connections stay open, and nothing answers.</summary>
    public void Suspend() => _process.Signal("STOP");

    /// <summary>Lets a frozen broker go on (SIGCONT).</summary>
    public void Resume() => _process.Signal("CONT");

    /// <summary>Gets the path of an installed program, or skips the test; fails it when CI is set.</summary>
    /// <param name="program">A program of Debian's <c>mosquitto-clients</c>, such as <c>mosquitto_pub</c>, or <c>mosquitto</c>.</param>
    public static string Find(string program = "mosquitto") => ServerProcess.Find(
        program, program == "mosquitto" ? "mosquitto" : "mosquitto-clients", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_process.IsRunning)
        {
            await _process.EndAsync("KILL");
        }

        await _process.DisposeAsync();
    }

    private IEnumerable<string> ConfigurationLines()
    {
        string[] defaults =
        [
            // As root, mosquitto gives its rights away and then cannot write its data.
            "user root",
            "persistence true",
            $"persistence_location {DirectoryPath}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "log_type information",
            string.Create(CultureInfo.InvariantCulture, $"listener {Port} 127.0.0.1"),
            "allow_anonymous true",
        ];
        var given = _configuration.Select(line => line.Replace("{dir}", DirectoryPath, StringComparison.Ordinal)).ToList();
        var names = given.Select(Name).ToHashSet(StringComparer.Ordinal);
        return defaults.Where(line => !names.Contains(Name(line)) || Name(line) == "listener").Concat(given);

        static string Name(string line) => line.Split(' ', 2)[0];
    }
}
