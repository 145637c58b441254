using System.Diagnostics;
using Microsoft.Data.Sqlite;
using MqttDeviceCluster.Benchmarks.Compare;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Fleet;

/// <summary>A silo in a process of its own starts with a large directory, and is asked for it.</summary>
internal static class LargeDirectoryRow
{
    private const int Callers = 64;

    public static async Task<FleetResult> RunAsync(FleetOptions options, CancellationToken cancellationToken)
    {
        await using var broker = await Mosquitto.StartAsync(cancellationToken);
        await using var devices = await DeviceProcess.StartAsync(broker.Url, cancellationToken);
        await using var silo = await RemoteService.StartAsync(
            broker.Url, [], options.Warm, directory => FillAsync(broker.Url, directory, options, cancellationToken), cancellationToken);
        var atStart = Memory(silo);

        // Warm as a user makes them: each is asked once.
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(async caller =>
        {
            for (var device = caller; device < options.Warm; device += Callers)
            {
                await silo.Cluster.GetSnapshotAsync(Wire.DeviceId(device), cancellationToken);
            }
        }));
        var warm = Memory(silo);
        var began = Stopwatch.GetTimestamp();
        var count = 0;
        await foreach (var device in silo.Cluster.ListDevicesAsync(cancellationToken: cancellationToken))
        {
            count++;
        }

        if (count != options.Stored)
        {
            throw new BenchmarkException($"The directory has {count} devices, not {options.Stored}.");
        }

        var listed = Stopwatch.GetElapsedTime(began);
        return new($"a silo with {options.Stored:#,0} devices in its directory, {options.Warm:#,0} of them warm", new Dictionary<string, double>
        {
            ["ready after s"] = silo.StartTime.TotalSeconds,
            ["resident MiB at start"] = atStart,
            ["resident MiB warm"] = warm,
            ["listed after s"] = listed.TotalSeconds,
            ["resident MiB after the list"] = Memory(silo),
        });
    }

    private static double Memory(RemoteService silo)
    {
        silo.Process!.Refresh();
        return silo.Process.WorkingSet64 / 1048576.0;
    }

    // One device as the service stores it, and as many of its kind as are asked for.
    private static async Task FillAsync(Uri broker, string directory, FleetOptions options, CancellationToken cancellationToken)
    {
        await using (var first = await Service.StartAsync(broker, [], 1, cancellationToken))
        {
            await first.SetAsync(0, true);
            await first.StopAsync();
            File.Copy(Path.Combine(first.DataDirectory, "devices.db"), Path.Combine(directory, "devices.db"));
        }

        await using SqliteConnection connection = new(new SqliteConnectionStringBuilder { DataSource = Path.Combine(directory, "devices.db"), Pooling = false }.ToString());
        connection.Open();
        await using var command = connection.CreateCommand();
        command.CommandText = $"""
            PRAGMA synchronous=OFF;
            WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {options.Stored})
            INSERT INTO grain_state SELECT service_id, grain_type, printf('02%010X', n), state_name, etag, modified_at, state FROM numbers CROSS JOIN (SELECT * FROM grain_state LIMIT 1);
            """;
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
