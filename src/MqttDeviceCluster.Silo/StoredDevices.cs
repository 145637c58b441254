using MqttDeviceCluster.Storage;

namespace MqttDeviceCluster.Silo;

/// <summary>The devices in the store, for the directory. Where the store keeps no time of a write, a state is as of the moment it was read.</summary>
internal sealed class StoredDevices(IGrainStateScanner scanner, TimeProvider time) : IDeviceStateScan
{
    public async Task<DeviceStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxStates, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        GrainStatePage<T> page;
        try
        {
            page = await scanner.ScanAsync<T>(grainType, stateName, keyPrefix, continuation, maxStates, cancellationToken);
        }
        catch (GrainStorageUnavailableException exception)
        {
            throw new InvalidOperationException(exception.Message, exception);
        }

        return new(
            [.. page.Records.Select(record => new StoredDeviceState<T>(record.Key, record.State, record.ModifiedAt ?? now))],
            page.Continuation);
    }
}
