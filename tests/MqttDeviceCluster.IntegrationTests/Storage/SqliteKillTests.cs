using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MqttDeviceCluster.Storage;
using Orleans.Configuration;
using Orleans.Serialization;
using Orleans.Storage;

namespace MqttDeviceCluster.IntegrationTests.Storage;

/// <summary>A process that is killed in the middle of its commits: what it was told is stored, is stored.</summary>
public sealed class SqliteKillTests
{
    private const string PathVariable = "MDC_STORAGE_KILL_TEST_PATH";
    private const int Writers = 32;

    [Fact]
    public async Task WriteStateAsync_ProcessKilled_EveryReportedWriteIsInTheFile()
    {
        var directory = Directory.CreateTempSubdirectory("storage-kill-").FullName;
        var path = Path.Combine(directory, "data", "cluster.db");
        for (var round = 0; round < 3; round++)
        {
            // Long enough that commits and checkpoints overlap, and different in every round.
            await RunAndKillAsync(path, reports: 3000 + (round * 1777));

            var reported = ReadReports(path);
            using SqliteConnection connection = new($"Data Source={path};Pooling=false");
            connection.Open();
            Assert.Equal("ok", Scalar(connection, "PRAGMA integrity_check"));
            Assert.Equal(Writers, reported.Count);
            foreach (var (writer, value) in reported)
            {
                var stored = (long)Scalar(connection, $"SELECT json_extract(state, '$.Value') FROM grain_state WHERE grain_key = '{writer}'")!;

                // The one write that was under way may be stored without having been reported.
                Assert.True(stored == value || stored == value + 1, $"Round {round}: {value} was reported of writer {writer}, but {stored} is stored.");
            }
        }

        Directory.Delete(directory, recursive: true);
    }

    /// <summary>The process that is killed. It never ends by itself, hence explicit: only the test above starts it.</summary>
    [Fact(Explicit = true), Trait("Category", "Child")]
    public async Task Child_WritesUntilItIsKilled()
    {
        var path = Environment.GetEnvironmentVariable(PathVariable);
        Assert.SkipWhen(path is null, "Started by the test that kills it.");
        SiloBuilder builder = new();
        builder.Services.AddLogging().AddSerializer().Configure<ClusterOptions>(options => options.ServiceId = "service");
        builder.AddSqliteGrainStorage("devices", options => options.DataSource = path);
        await using var services = builder.Services.BuildServiceProvider();
        var storage = (GroupCommitGrainStorage)services.GetRequiredKeyedService<IGrainStorage>("devices");
        await storage.OpenAsync(CancellationToken.None);

        // Unbuffered: what was written is the system's, and survives the process.
        await using FileStream reports = new(ReportsOf(path!), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            var id = GrainId.Create("device", $"{writer}");
            GrainState<Counter> state = new(new Counter());
            await storage.ReadStateAsync("state", id, state);
            while (true)
            {
                state.State!.Value++;
                await storage.WriteStateAsync("state", id, state);
                var line = System.Text.Encoding.ASCII.GetBytes($"{writer} {state.State.Value}\n");
                lock (reports)
                {
                    reports.Write(line);
                }
            }
        })));
    }

    private static async Task RunAndKillAsync(string path, int reports)
    {
        var before = CountReports(path);
        var assembly = typeof(SqliteKillTests).Assembly.Location;
        ProcessStartInfo start = new("dotnet")
        {
            ArgumentList =
            {
                "exec", assembly, "-explicit", "only", "-method", $"{typeof(SqliteKillTests).FullName}.{nameof(Child_WritesUntilItIsKilled)}",
            },
            Environment = { [PathVariable] = path },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var child = Process.Start(start)!;
        var output = child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = child.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            var started = TimeProvider.System.GetTimestamp();
            while (CountReports(path) < before + reports)
            {
                if (child.HasExited)
                {
                    Assert.Fail($"The child ended by itself: {await output}{await error}");
                }

                Assert.True(
                    TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(1), $"The child reported {CountReports(path) - before} writes in a minute.");

                // The other process tells nothing but the length of its file.
                await Task.Delay(10, TestContext.Current.CancellationToken);
            }
        }
        finally
        {
            // SIGKILL: no handler, no flush.
            child.Kill(entireProcessTree: true);
            await child.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static int CountReports(string path) => File.Exists(ReportsOf(path)) ? ReadLines(path).Length : 0;

    private static Dictionary<int, long> ReadReports(string path)
    {
        Dictionary<int, long> last = [];
        foreach (var line in ReadLines(path))
        {
            var parts = line.Split(' ');
            last[int.Parse(parts[0], CultureInfo.InvariantCulture)] = long.Parse(parts[1], CultureInfo.InvariantCulture);
        }

        return last;
    }

    private static string[] ReadLines(string path)
    {
        using FileStream stream = new(ReportsOf(path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(stream);
        return reader.ReadToEnd().Split('\n')[..^1];
    }

    private static string ReportsOf(string path) => Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(path)!)!, "reports");

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    public sealed class Counter
    {
        public long Value { get; set; }
    }

    private sealed class SiloBuilder : ISiloBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IConfiguration Configuration { get; } = new ConfigurationBuilder().Build();
    }
}
