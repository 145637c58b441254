using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage.GroupCommit;

namespace MqttDeviceCluster.Storage;

/// <summary>Scans: pages of raw records, deserialized here.</summary>
internal sealed partial class GroupCommitGrainStorage
{
    private const int MaxPageRecords = 4096;
    private const int MaxPageBytes = 8 * 1024 * 1024;

    public async Task<GrainStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxRecords, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stateName);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRecords, 1);
        keyPrefix ??= "";
        if (continuation?.StartsWith(keyPrefix, StringComparison.Ordinal) is false)
        {
            throw new ArgumentException($"The continuation is not of a scan of keys that begin with '{keyPrefix}'.", nameof(continuation));
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (GrainStateKey.DecodeType(grainType) is not { } type || !IsUnicode(keyPrefix))
        {
            // Only what is valid Unicode can be stored.
            return new([], null);
        }

        GrainStateRange range = new(_serviceId, type, stateName, keyPrefix, continuation);
        GrainStatePageLimits limits = new(Math.Min(maxRecords, MaxPageRecords), MaxPageBytes);
        var stored = await ReadAsync("scan", store => store.ScanAsync(range, limits, cancellationToken), cancellationToken).ConfigureAwait(false);

        // On the thread pool: thousands of records would hold up the grain whose turn asked for them.
        var page = await Task.Run(() => Deserialize<T>(stored, type, stateName), cancellationToken).ConfigureAwait(false);
        _metrics.OnOperation(_name, "scan", GrainStorageMetrics.Ok);
        return page;
    }

    private GrainStatePage<T> Deserialize<T>(StoredGrainStatePage stored, string grainType, string stateName)
    {
        List<GrainStateRecord<T>> records = new(stored.Records.Count);
        var unreadable = 0;
        (string Key, Exception Cause)? first = null;
        foreach (var record in stored.Records)
        {
            try
            {
                var state = _serializer.Deserialize<T>(new BinaryData(record.Payload)) ?? _activators.GetActivator<T>().Create();
                records.Add(new(record.GrainKey, state, record.ModifiedAt));
            }
            catch (Exception cause)
            {
                // Whatever a serializer throws, it is this record's alone; its grain's own read fails with it.
                unreadable++;
                first ??= (record.GrainKey, cause);
            }
        }

        if (first is var (key, firstCause))
        {
            _metrics.OnUnreadable(_name, unreadable);
            LogUnreadable(firstCause, _name, unreadable, stateName, grainType, key);
        }

        return new(records, stored.HasMore ? stored.Records[^1].GrainKey : null);
    }

    private static bool IsUnicode(string text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var consumed) != OperationStatus.Done)
            {
                return false;
            }

            rest = rest[consumed..];
        }

        return true;
    }

    [LoggerMessage(
        LogLevel.Warning,
        "A scan of grain storage '{Provider}' left out {Count} records of state '{StateName}' that cannot be deserialized; the first is of grain '{GrainType}/{Key}'.")]
    private partial void LogUnreadable(Exception cause, string provider, int count, string stateName, string grainType, string key);
}
