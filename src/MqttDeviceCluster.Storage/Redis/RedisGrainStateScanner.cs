using System.Text;
using MqttDeviceCluster.Storage.GroupCommit;
using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>
/// Scans what Orleans' Redis storage wrote. Redis has no order: the keys come from <see cref="RedisKeyLists"/>, and pages are taken from them. A page that finds no list, on
/// another silo or after a pause, has the keys walked through again.
/// </summary>
internal sealed class RedisGrainStateScanner(string serviceId, RedisConnection connection, TimeProvider timeProvider) : IAsyncDisposable
{
    private static readonly RedisValue Data = "data";

    private readonly RedisKeyLists _lists = new(connection, timeProvider);

    /// <summary>Finds the keys of a page. That of a scan's first page takes as long as a walk through all keys does: seconds, with millions.</summary>
    public async Task<Page> FindAsync(GrainStateRange range, GrainStatePageLimits limits)
    {
        RedisKeys keys = new(serviceId, range.GrainType, range.StateName);
        var list = await _lists.GetAsync(keys, (range.GrainType, range.StateName), isFirst: range.After is null).ConfigureAwait(false);
        var prefix = Encoding.UTF8.GetBytes(range.KeyPrefix);
        var start = FindFirst(list, range.After is null ? prefix : [.. Encoding.UTF8.GetBytes(range.After), 0]);
        var end = start;
        while (end < list.Count && end - start < limits.MaxRecords && list[end].Span.StartsWith(prefix))
        {
            end++;
        }

        return new(keys, list.GetRange(start, end - start), HasMore: end < list.Count && list[end].Span.StartsWith(prefix));
    }

    /// <summary>Reads the states of a page, as many of them as its bytes allow.</summary>
    /// <returns>What is stored, and where to go on.</returns>
    public async Task<(List<ScannedGrainState> Records, string? Continuation)> ReadAsync(Page page, GrainStatePageLimits limits)
    {
        // Two round trips: the multiplexer sends what is asked for one behind the other. The sizes first, since nothing else says when a page is full.
        var database = await connection.GetDatabaseAsync().ConfigureAwait(false);
        var redisKeys = page.GrainKeys.ConvertAll(key => (RedisKey)page.Keys.Key(key));
        var sizes = await Task.WhenAll(redisKeys.Select(key => database.HashStringLengthAsync(key, Data))).ConfigureAwait(false);
        var count = 0;
        for (var bytes = 0L; count < sizes.Length && bytes < limits.MaxBytes; count++)
        {
            bytes += sizes[count];
        }

        var values = await Task.WhenAll(redisKeys.Take(count).Select(key => database.HashGetAsync(key, Data))).ConfigureAwait(false);
        List<ScannedGrainState> records = new(count);
        for (var i = 0; i < count; i++)
        {
            // Gone since the list was made; or cleared, which leaves an empty state.
            if (!values[i].IsNullOrEmpty)
            {
                records.Add(new(Text(page.GrainKeys[i]), (ReadOnlyMemory<byte>)values[i], ModifiedAt: null));
            }
        }

        return (records, page.HasMore || count < redisKeys.Count ? Text(page.GrainKeys[count - 1]) : null);
    }

    public ValueTask DisposeAsync() => _lists.DisposeAsync();

    private static string Text(ReadOnlyMemory<byte> grainKey) => Encoding.UTF8.GetString(grainKey.Span);

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

    /// <summary>The keys of a page.</summary>
    public sealed record Page(RedisKeys Keys, List<ReadOnlyMemory<byte>> GrainKeys, bool HasMore);
}
