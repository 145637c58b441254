using System.Text;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage.GroupCommit;
using Orleans.Serialization.Serializers;
using Orleans.Storage;
using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>
/// Scans what Orleans' Redis storage wrote. Redis has no order: the first page walks the whole keyspace for the keys (SCAN, which stops nobody), sorts them, and keeps the
/// list for the pages that follow, on this silo and for a minute. A page that finds no list walks again.
/// </summary>
/// <remarks>A list of a million keys takes some 60 MB. Orleans stores no time of a write: <see cref="GrainStateRecord{T}.ModifiedAt"/> is the default.</remarks>
internal sealed partial class RedisGrainStateScanner(
    string providerName,
    string serviceId,
    RedisConnection connection,
    IGrainStorageSerializer serializer,
    IActivatorProvider activators,
    GrainStorageMetrics metrics,
    TimeProvider timeProvider,
    ILogger logger)
{
    private const int MaxPageRecords = 4096;
    private const int ScanCount = 1000;
    private static readonly TimeSpan ListLifetime = TimeSpan.FromMinutes(1);

    private static readonly RedisValue Data = "data";

    private readonly Lock _lock = new();
    private readonly Dictionary<(string GrainType, string StateName), (Task<List<ReadOnlyMemory<byte>>> Keys, long LastUsed)> _lists = [];
    private readonly ILogger _logger = logger;

    public async Task<GrainStatePage<T>> ScanAsync<T>(GrainStateRange range, int maxRecords)
    {
        RedisKeys keys = new(serviceId, range.GrainType, range.StateName);
        var list = await GetListAsync(keys, (range.GrainType, range.StateName), isFirst: range.After is null);
        var prefix = Encoding.UTF8.GetBytes(range.KeyPrefix);
        var start = FindFirst(list, range.After is null ? prefix : [.. Encoding.UTF8.GetBytes(range.After), 0]);
        var end = start;
        while (end < list.Count && end - start < Math.Min(maxRecords, MaxPageRecords) && list[end].Span.StartsWith(prefix))
        {
            end++;
        }

        // One round trip: the multiplexer sends them one behind the other.
        var database = await connection.GetDatabaseAsync();
        var page = list.GetRange(start, end - start);
        var values = await Task.WhenAll(page.Select(key => database.HashGetAsync(keys.Key(key), Data)));
        var hasMore = end < list.Count && list[end].Span.StartsWith(prefix);
        if (!hasMore)
        {
            Forget((range.GrainType, range.StateName));
        }

        return new(Deserialize<T>(page, values, range), hasMore ? Encoding.UTF8.GetString(page[^1].Span) : null);
    }

    private List<GrainStateRecord<T>> Deserialize<T>(List<ReadOnlyMemory<byte>> keys, RedisValue[] values, GrainStateRange range)
    {
        List<GrainStateRecord<T>> records = new(keys.Count);
        var unreadable = 0;
        (string Key, Exception Cause)? first = null;
        for (var i = 0; i < values.Length; i++)
        {
            // Gone since the list was made; or cleared, which leaves an empty state.
            if (values[i].IsNullOrEmpty)
            {
                continue;
            }

            var key = Encoding.UTF8.GetString(keys[i].Span);
            try
            {
                var state = serializer.Deserialize<T>(new BinaryData((ReadOnlyMemory<byte>)values[i])) ?? activators.GetActivator<T>().Create();
                records.Add(new(key, state, default));
            }
            catch (Exception cause)
            {
                // Whatever a serializer throws, it is this record's alone.
                unreadable++;
                first ??= (key, cause);
            }
        }

        if (first is var (firstKey, firstCause))
        {
            metrics.OnUnreadable(providerName, unreadable);
            LogUnreadable(firstCause, providerName, unreadable, range.StateName, range.GrainType, firstKey);
        }

        return records;
    }

    private Task<List<ReadOnlyMemory<byte>>> GetListAsync(RedisKeys keys, (string, string) name, bool isFirst)
    {
        lock (_lock)
        {
            foreach (var (old, (_, lastUsed)) in _lists)
            {
                if (timeProvider.GetElapsedTime(lastUsed) > ListLifetime)
                {
                    _lists.Remove(old);
                }
            }

            // A new scan sees what was written before it: only a list that is being made, or was just made for another, would do, and not worth telling apart.
            var list = !isFirst && _lists.TryGetValue(name, out var kept) && !kept.Keys.IsFaulted ? kept.Keys : Task.Run(() => ListAsync(keys));
            _lists[name] = (list, timeProvider.GetTimestamp());
            return list;
        }
    }

    private void Forget((string, string) name)
    {
        lock (_lock)
        {
            _lists.Remove(name);
        }
    }

    private async Task<List<ReadOnlyMemory<byte>>> ListAsync(RedisKeys keys)
    {
        var multiplexer = await connection.ConnectAsync();
        var database = multiplexer.GetDatabase().Database;
        List<ReadOnlyMemory<byte>> found = [];
        var primaries = multiplexer.GetServers().Where(server => !server.IsReplica).ToList();

        // What a primary holds that does not answer must not look as if it were gone.
        if (primaries.Count == 0 || !primaries.TrueForAll(server => server.IsConnected))
        {
            throw new InvalidOperationException("one of its primaries is not connected");
        }

        foreach (var server in primaries)
        {
            await foreach (var key in server.KeysAsync(database, keys.Pattern, ScanCount))
            {
                if (keys.GrainKey((byte[])key!) is { } grainKey)
                {
                    found.Add(grainKey);
                }
            }
        }

        found.Sort(static (left, right) => left.Span.SequenceCompareTo(right.Span));

        // SCAN may give a key twice.
        var distinct = 0;
        for (var i = 0; i < found.Count; i++)
        {
            if (i == 0 || !found[i].Span.SequenceEqual(found[i - 1].Span))
            {
                found[distinct++] = found[i];
            }
        }

        found.RemoveRange(distinct, found.Count - distinct);
        return found;
    }

    /// <summary>Finds the first key that is not less than <paramref name="bound"/>.</summary>
    private static int FindFirst(List<ReadOnlyMemory<byte>> list, byte[] bound)
    {
        var (low, high) = (0, list.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (list[middle].Span.SequenceCompareTo(bound) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    [LoggerMessage(
        LogLevel.Warning,
        "A scan of grain storage '{Provider}' left out {Count} records of state '{StateName}' that cannot be deserialized; the first is of grain '{GrainType}/{Key}'.")]
    private partial void LogUnreadable(Exception cause, string provider, int count, string stateName, string grainType, string key);
}
