using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>
/// The sorted grain keys of each state that is being scanned. A list is made by a walk through the whole keyspace (SCAN, which stops nobody), and is kept for the pages that
/// follow, until nobody has asked for it for a minute. A list of a million keys takes some 60 MB.
/// </summary>
internal sealed class RedisKeyLists : IAsyncDisposable
{
    /// <summary>For how long a list is kept that nobody asks for.</summary>
    internal static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    private const int ScanCount = 1000;

    private readonly RedisConnection _connection;
    private readonly TimeProvider _timeProvider;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string GrainType, string StateName), Entry> _entries = [];

    public RedisKeyLists(RedisConnection connection, TimeProvider timeProvider)
    {
        _connection = connection;
        _timeProvider = timeProvider;
        _timer = timeProvider.CreateTimer(static lists => ((RedisKeyLists)lists!).DropUnused(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Gets how many lists are kept.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Gets the list that a page is taken from.</summary>
    /// <param name="keys">Whose keys.</param>
    /// <param name="name">Grain type and state name.</param>
    /// <param name="isFirst">Whether it is the first page of a scan, which must see every write that completed before.</param>
    public Task<List<ReadOnlyMemory<byte>>> GetAsync(RedisKeys keys, (string GrainType, string StateName) name, bool isFirst)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(name, out var entry))
            {
                entry = new();
                _entries.Add(name, entry);
                if (_entries.Count == 1)
                {
                    _timer.Change(Lifetime, Lifetime);
                }
            }

            entry.LastUsed = _timeProvider.GetTimestamp();
            if (entry.Walk is { IsFaulted: false, IsCanceled: false } current && !isFirst)
            {
                return current;
            }

            if (entry.Walk is not { IsCompleted: false } running)
            {
                return entry.Walk = Task.Run(() => WalkAsync(keys));
            }

            // The walk under way may have passed where a key was written since: whoever begins a scan meanwhile waits for the next one, and all of them for the same.
            return entry.Next ??= WalkAfterAsync(running, entry, keys);
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private async Task<List<ReadOnlyMemory<byte>>> WalkAfterAsync(Task running, Entry entry, RedisKeys keys)
    {
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        Task<List<ReadOnlyMemory<byte>>> walk;
        lock (_lock)
        {
            entry.Next = null;
            entry.Walk = walk = Task.Run(() => WalkAsync(keys));
        }

        return await walk.ConfigureAwait(false);
    }

    private void DropUnused()
    {
        lock (_lock)
        {
            foreach (var (name, entry) in _entries)
            {
                if (entry.Walk is { IsCompleted: true } && entry.Next is null && _timeProvider.GetElapsedTime(entry.LastUsed) >= Lifetime)
                {
                    _entries.Remove(name);
                }
            }

            if (_entries.Count == 0)
            {
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private async Task<List<ReadOnlyMemory<byte>>> WalkAsync(RedisKeys keys)
    {
        var multiplexer = await _connection.ConnectAsync().ConfigureAwait(false);
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
            await foreach (var key in server.KeysAsync(database, keys.Pattern, ScanCount).ConfigureAwait(false))
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

    private sealed class Entry
    {
        /// <summary>Gets or sets the walk that began last; what it found, once it ended.</summary>
        public Task<List<ReadOnlyMemory<byte>>>? Walk { get; set; }

        /// <summary>Gets or sets the walk that begins when that one has ended.</summary>
        public Task<List<ReadOnlyMemory<byte>>>? Next { get; set; }

        public long LastUsed { get; set; }
    }
}
