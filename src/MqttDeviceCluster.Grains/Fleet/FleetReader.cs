using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>Makes snapshots of the devices in this silo's memory.</summary>
internal sealed class FleetReader(ActiveDevices active, TimeProvider time)
{
    public ImmutableArray<DeviceSnapshot> GetActive(ImmutableArray<string> deviceIds)
    {
        var now = time.GetUtcNow();
        var found = ImmutableArray.CreateBuilder<DeviceSnapshot>();
        foreach (var deviceId in deviceIds)
        {
            if (active.TryGet(deviceId, out var state) && state.FirstSeen is not null)
            {
                found.Add(state.ToSnapshot(deviceId, now));
            }
        }

        return found.DrainToImmutable();
    }

    public ImmutableArray<DeviceSnapshot> GetActiveAfter(string? deviceId, string? idPrefix, int maxDevices)
    {
        var now = time.GetUtcNow();
        return
        [
            .. active
                .Where(device => device.Value.State.FirstSeen is not null
                    && (deviceId is null || string.CompareOrdinal(device.Key, deviceId) > 0)
                    && (idPrefix is null || device.Key.StartsWith(idPrefix, StringComparison.Ordinal)))
                .OrderBy(static device => device.Key, StringComparer.Ordinal)
                .Take(maxDevices)
                .Select(device => device.Value.State.ToSnapshot(device.Key, now)),
        ];
    }
}
