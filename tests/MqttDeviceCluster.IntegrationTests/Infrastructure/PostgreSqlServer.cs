using System.Globalization;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>
/// A real PostgreSQL as a child process on loopback, with a password and with fsync, which keeps its port over restarts. A test on a machine without it is skipped, and
/// fails when the environment variable CI is set.
/// </summary>
public sealed class PostgreSqlServer : IAsyncDisposable
{
    private const string Administrator = "admin";
    private const string Password = "not a secret: 'loopback' only";

    private readonly ServerProcess _process = new("postgresql");
    private readonly string _binaries;
    private int _databases;
    private bool _suspended;

    private PostgreSqlServer(string binaries) => _binaries = binaries;

    /// <summary>Gets the port on 127.0.0.1.</summary>
    public int Port { get; } = FreePorts.Next();

    /// <summary>Gets what the server wrote so far, over all its runs.</summary>
    public string Log => _process.Log;

    private string DataDirectory => Path.Combine(_process.DirectoryPath, "data");

    /// <summary>Creates a cluster and starts it; returns when it accepts connections.</summary>
    public static async Task<PostgreSqlServer> StartNewAsync()
    {
        // Debian has the versions side by side, and none in the path.
        const string Versions = "/usr/lib/postgresql";
        string[] versions = Directory.Exists(Versions) ? [.. Directory.GetDirectories(Versions).OrderDescending().Select(version => Path.Combine(version, "bin"))] : [];
        PostgreSqlServer server = new(Path.GetDirectoryName(ServerProcess.Find("initdb", "postgresql", versions))!);
        try
        {
            await server.CreateAsync();
            await server.StartAsync();
            return server;
        }
        catch (Exception)
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates an empty database whose collation sorts like a dictionary, not by bytes.</summary>
    /// <returns>Its connection string, as the administrator.</returns>
    public async Task<string> CreateDatabaseAsync(string encoding = "UTF8")
    {
        var name = $"test{Interlocked.Increment(ref _databases)}";
        var locale = encoding == "UTF8" ? "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'" : "LOCALE 'C'";
        await ExecuteAsync(ConnectionString("postgres"), $"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' {locale}");
        return ConnectionString(name);
    }

    /// <summary>Gets a connection string, without a password if it is <see langword="null"/>.</summary>
    public string ConnectionString(string database, string user = Administrator, string? password = Password) =>
        new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = Port, Database = database, Username = user, Password = password, Timeout = 5 }.ConnectionString;

    /// <summary>Runs statements.</summary>
    public static async Task ExecuteAsync(string connectionString, string sql)
    {
        // Without a pool: nothing of the test keeps a database in use.
        await using NpgsqlConnection connection = new(Unpooled(connectionString));
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Reads one value.</summary>
    public static async Task<object?> ScalarAsync(string connectionString, string sql)
    {
        await using NpgsqlConnection connection = new(Unpooled(connectionString));
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Starts it again, on the same port with the same data.</summary>
    public Task StartAsync()
    {
        var (file, arguments) = AsUser(
            Path.Combine(_binaries, "postgres"),
            "-D", DataDirectory,
            "-c", "listen_addresses=127.0.0.1",
            "-c", string.Create(CultureInfo.InvariantCulture, $"port={Port}"),
            "-c", "unix_socket_directories=",
            "-c", "fsync=on",
            "-c", "shared_buffers=32MB",
            "-c", "max_connections=200");
        return _process.StartAsync(file, arguments, "database system is ready to accept connections");
    }

    /// <summary>Stops it as an operator would: connections are ended, data is written.</summary>
    public Task StopAsync() => _process.EndAsync("INT");

    /// <summary>Has it stop at once, as in a crash: it recovers at the next start.</summary>
    public Task CrashAsync() => _process.EndAsync("QUIT");

    /// <summary>Freezes it: connections stay open, and nothing answers.</summary>
    public async Task SuspendAsync()
    {
        // Every connection is a process of its own. The one that makes them is first, so that there are no new ones.
        _suspended = true;
        await _process.SignalAsync("STOP");
        await SignalChildrenAsync("STOP");
    }

    /// <summary>Lets a frozen server go on.</summary>
    public async Task ResumeAsync()
    {
        await SignalChildrenAsync("CONT");
        await _process.SignalAsync("CONT");
        _suspended = false;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_suspended)
        {
            await ResumeAsync();
        }

        await _process.DisposeAsync();
    }

    private static string Unpooled(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;

    private Task SignalChildrenAsync(string signal) =>
        ServerProcess.RunAsync("pkill", $"-{signal}", "-P", _process.ProcessId.ToString(CultureInfo.InvariantCulture));

    // It refuses to run as root. Debian's package brings a user for it.
    private static (string File, string[] Arguments) AsUser(string file, params string[] arguments) => Environment.IsPrivilegedProcess
        ? ("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "LC_ALL=C", file, .. arguments])
        : ("env", ["LC_ALL=C", file, .. arguments]);

    private async Task CreateAsync()
    {
        var passwordFile = Path.Combine(_process.DirectoryPath, "password");
        await File.WriteAllTextAsync(passwordFile, Password);
        if (Environment.IsPrivilegedProcess)
        {
            await ServerProcess.RunAsync("chown", "-R", "postgres:", _process.DirectoryPath);
        }

        var (file, arguments) = AsUser(
            Path.Combine(_binaries, "initdb"),
            "-D", DataDirectory, "-U", Administrator, "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", "--pwfile", passwordFile, "--no-instructions");
        await ServerProcess.RunAsync(file, arguments);
    }
}
