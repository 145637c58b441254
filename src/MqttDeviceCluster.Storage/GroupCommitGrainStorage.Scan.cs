namespace MqttDeviceCluster.Storage;

/// <summary>Scans: pages of raw records, deserialized afterwards.</summary>
internal sealed partial class GroupCommitGrainStorage
{
    public async Task<GrainStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxRecords, CancellationToken cancellationToken)
    {
        if (ScanArguments.Check(_serviceId, grainType, stateName, keyPrefix, continuation, maxRecords) is not { } range)
        {
            return new([], null);
        }

        cancellationToken.ThrowIfCancellationRequested();
        var limits = GrainStatePages.Limits(maxRecords);
        var stored = await ReadAsync("scan", store => store.ScanAsync(range, limits, cancellationToken), cancellationToken).ConfigureAwait(false);
        var next = stored.HasMore ? stored.Records[^1].GrainKey : null;
        var page = await _pages.CreateAsync<T>(stored.Records, next, range, cancellationToken).ConfigureAwait(false);
        _metrics.OnOperation(_name, "scan", GrainStorageMetrics.Ok);
        return page;
    }
}
