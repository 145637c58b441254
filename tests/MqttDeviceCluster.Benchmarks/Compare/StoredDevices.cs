using System.Text.Json;
using Microsoft.Data.Sqlite;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Machine;

namespace MqttDeviceCluster.Benchmarks.Compare;

/// <summary>What a stopped silo left in its SQLite file.</summary>
internal static class StoredDevices
{
    /// <summary>Compares what is stored with what the devices said last. Returns how many devices were compared.</summary>
    /// <exception cref="BenchmarkException">They differ: what was measured is worth nothing.</exception>
    public static async Task<int> VerifyAsync(string directory, IReadOnlyDictionary<int, bool> said)
    {
        await using SqliteConnection connection = new(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(directory, "devices.db"),
            Mode = SqliteOpenMode.ReadOnly,
            Pooling = false,
        }.ToString());
        connection.Open();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT grain_key, state FROM grain_state";
        Dictionary<int, bool> stored = [];
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            using var state = JsonDocument.Parse(reader.GetString(1));
            var pin = state.RootElement.GetProperty("pins").EnumerateArray().Single(pin => pin.GetProperty("pin").GetInt32() == Wire.Pin);
            stored[Wire.DeviceNumber(reader.GetString(0))] = pin.GetProperty("state").GetInt32() == 1;
        }

        var wrong = said.Count(device => !stored.TryGetValue(device.Key, out var high) || high != device.Value);
        return wrong == 0 ? said.Count : throw new BenchmarkException($"The store does not hold what {wrong} of {said.Count} devices said last.");
    }
}
