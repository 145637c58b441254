using System.Text;
using BenchmarkDotNet.Attributes;
using MqttDeviceCluster.Storage;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Sqlite;

namespace MqttDeviceCluster.Benchmarks.Micro;

/// <summary>Synced commits to a SQLite file in the temporary directory. Per record.</summary>
public class StorageBenchmarks
{
    private const int Many = 256;

    private static readonly byte[] Payload = Encoding.UTF8.GetBytes("{\"pins\":[{\"pin\":13,\"mode\":3,\"state\":1,\"at\":\"2026-01-01T00:00:00+00:00\"}]}");
    private readonly string?[] _etags = new string?[Many];
    private string _directory = "";
    private SqliteGrainStateStore _store = null!;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _directory = Directory.CreateTempSubdirectory("mdc-bench-store-").FullName;
        _store = new("bench", new SqliteGrainStorageOptions { DataSource = Path.Combine(_directory, "bench.db") }, TimeProvider.System);
        await _store.OpenAsync(CancellationToken.None);
        await CommitAsync(Many);
    }

    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Benchmark]
    public Task CommitOne() => CommitAsync(1);

    [Benchmark(OperationsPerInvoke = Many)]
    public Task CommitMany() => CommitAsync(Many);

    private async Task CommitAsync(int count)
    {
        var changes = new GrainStateChange[count];
        for (var i = 0; i < count; i++)
        {
            var etag = Guid.NewGuid().ToString("N");
            changes[i] = new(new("default", "device", Devices.Wire.DeviceId(i), "MqttDeviceCluster.Device"), _etags[i], etag, Payload);
            _etags[i] = etag;
        }

        var results = await _store.CommitAsync(changes);
        if (results.Any(result => result.Outcome != GrainStateChangeOutcome.Applied))
        {
            throw new InvalidOperationException("A record was not stored.");
        }
    }
}
