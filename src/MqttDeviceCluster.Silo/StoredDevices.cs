using MqttDeviceCluster.Storage;

namespace MqttDeviceCluster.Silo;

/// <summary>The devices in the store, for the directory.</summary>
internal sealed class StoredDevices(IGrainStateScanner scanner) : IDeviceStateScan
{
    public async Task<DeviceStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxStates, CancellationToken cancellationToken)
    {
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
            [.. page.Records.Select(static record => new StoredDeviceState<T>(record.Key, record.State, record.ModifiedAt))],
            page.Continuation);
    }
}
