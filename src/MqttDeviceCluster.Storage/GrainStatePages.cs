using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage.GroupCommit;
using Orleans.Serialization.Serializers;
using Orleans.Storage;

namespace MqttDeviceCluster.Storage;

/// <summary>Makes pages of a scan out of what is stored, the same for every store.</summary>
internal sealed partial class GrainStatePages(
    string providerName, IGrainStorageSerializer serializer, IActivatorProvider activators, GrainStorageMetrics metrics, ILogger logger)
{
    private const int MaxRecords = 4096;
    private const int MaxBytes = 8 * 1024 * 1024;

    private readonly ILogger _logger = logger;

    /// <summary>Returns how big a page of at most <paramref name="maxRecords"/> records may be.</summary>
    public static GrainStatePageLimits Limits(int maxRecords) => new(Math.Min(maxRecords, MaxRecords), MaxBytes);

    /// <summary>Deserializes, on the thread pool: thousands of records would hold up the grain whose turn asked for them.</summary>
    public Task<GrainStatePage<T>> CreateAsync<T>(
        IReadOnlyList<ScannedGrainState> stored, string? continuation, GrainStateRange range, CancellationToken cancellationToken) =>
        Task.Run(() => new GrainStatePage<T>(Deserialize<T>(stored, range), continuation), cancellationToken);

    private List<GrainStateRecord<T>> Deserialize<T>(IReadOnlyList<ScannedGrainState> stored, GrainStateRange range)
    {
        List<GrainStateRecord<T>> records = new(stored.Count);
        var unreadable = 0;
        (string Key, Exception Cause)? first = null;
        foreach (var record in stored)
        {
            try
            {
                var state = serializer.Deserialize<T>(new BinaryData(record.Payload)) ?? activators.GetActivator<T>().Create();
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
            metrics.OnUnreadable(providerName, unreadable);
            LogUnreadable(firstCause, providerName, unreadable, range.StateName, range.GrainType, key);
        }

        return records;
    }

    [LoggerMessage(
        LogLevel.Warning,
        "A scan of grain storage '{Provider}' left out {Count} records of state '{StateName}' that cannot be deserialized; the first is of grain '{GrainType}/{Key}'.")]
    private partial void LogUnreadable(Exception cause, string provider, int count, string stateName, string grainType, string key);
}
