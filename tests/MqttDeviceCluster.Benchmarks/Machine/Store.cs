using System.Globalization;
using MqttDeviceCluster.Benchmarks.Compare;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>What the service stores its devices in: a server of our own where one is needed, with every write synced to the disk.</summary>
internal sealed class Store : IAsyncDisposable
{
    private const string User = "bench";

    private readonly ChildServer? _server;

    private Store(ChildServer? server, IReadOnlyList<string> settings) => (_server, Settings) = (server, settings);

    /// <summary>Gets the settings of a silo that uses it.</summary>
    public IReadOnlyList<string> Settings { get; }

    public static Task<Store> StartAsync(StorageKind kind) => kind switch
    {
        StorageKind.Sqlite => Task.FromResult(new Store(null, [])),
        StorageKind.Memory => Task.FromResult(new Store(null, ["Orleans:GrainStorage:Default:ProviderType=Memory"])),
        StorageKind.Postgres => StartPostgreSqlAsync(),
        _ => StartRedisAsync(),
    };

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    private static async Task<Store> StartRedisAsync()
    {
        ChildServer server = new("redis");
        var port = FreePort.Find(1)[0];
        try
        {
            await server.StartAsync(
                ChildServer.Find("redis-server", "redis-server"),
                ["--bind", "127.0.0.1", "--port", Text(port), "--dir", server.DirectoryPath, "--appendonly", "yes", "--appendfsync", "always"],
                "Ready to accept connections");
        }
        catch (Exception)
        {
            await server.DisposeAsync();
            throw;
        }

        return new(server, ["Orleans:GrainStorage:Default:ProviderType=Redis", $"Orleans:GrainStorage:Default:ConnectionString=127.0.0.1:{port}"]);
    }

    private static async Task<Store> StartPostgreSqlAsync()
    {
        // Debian has the versions side by side, and none in the path.
        const string Versions = "/usr/lib/postgresql";
        string[] versions = Directory.Exists(Versions) ? [.. Directory.GetDirectories(Versions).OrderDescending().Select(version => Path.Combine(version, "bin"))] : [];
        var binaries = Path.GetDirectoryName(ChildServer.Find("initdb", "postgresql", versions))!;
        ChildServer server = new("postgresql");
        var port = FreePort.Find(1)[0];
        try
        {
            if (Environment.IsPrivilegedProcess)
            {
                await ChildServer.RunAsync("chown", "-R", "postgres:", server.DirectoryPath);
            }

            var data = Path.Combine(server.DirectoryPath, "data");
            var (initdb, initArguments) = AsUser(
                Path.Combine(binaries, "initdb"), "-D", data, "-U", User, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "--no-instructions");
            await ChildServer.RunAsync(initdb, initArguments);
            var (postgres, arguments) = AsUser(
                Path.Combine(binaries, "postgres"),
                "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", $"port={Text(port)}", "-c", "unix_socket_directories=", "-c", "fsync=on", "-c", "shared_buffers=128MB");
            await server.StartAsync(postgres, arguments, "database system is ready to accept connections");
        }
        catch (Exception)
        {
            await server.DisposeAsync();
            throw;
        }

        return new(server,
        [
            "Orleans:GrainStorage:Default:ProviderType=PostgreSql",
            $"Orleans:GrainStorage:Default:ConnectionString=Host=127.0.0.1;Port={port};Database=postgres;Username={User}",
        ]);
    }

    // It refuses to run as root. Debian's package brings a user for it.
    private static (string File, string[] Arguments) AsUser(string file, params string[] arguments) => Environment.IsPrivilegedProcess
        ? ("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "LC_ALL=C", file, .. arguments])
        : ("env", ["LC_ALL=C", file, .. arguments]);

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
