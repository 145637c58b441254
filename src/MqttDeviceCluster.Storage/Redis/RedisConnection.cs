using MqttDeviceCluster.Storage.GroupCommit;
using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>The connection of one Redis storage provider: Orleans' storage, the scans and the probes share it.</summary>
internal sealed class RedisConnection : IProbedStore, IAsyncDisposable
{
    private readonly ConfigurationOptions _options;
    private readonly RedisKey _probeKey;
    private readonly Lock _lock = new();
    private Task<IConnectionMultiplexer>? _connecting;
    private bool _disposed;

    public RedisConnection(ConfigurationOptions options, string serviceId, string providerName)
    {
        _options = options;
        _probeKey = $"{serviceId}/probe/{providerName}";
        Location = RedisReasons.Describe(options);
    }

    public string Location { get; }

    /// <summary>Connects, once. A failure is not kept: the next call tries again.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public Task<IConnectionMultiplexer> ConnectAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_connecting is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _connecting = ConnectCoreAsync();
            }

            return _connecting;
        }
    }

    public async Task<IDatabase> GetDatabaseAsync() => (await ConnectAsync()).GetDatabase();

    public async Task ProbeWriteAsync()
    {
        var database = await GetDatabaseAsync();

        // A full memory, a failed save and a read-only replica refuse writes alone.
        await database.StringSetAsync(_probeKey, "probe", TimeSpan.FromMinutes(1));
    }

    public async Task ProbeReadAsync()
    {
        var database = await GetDatabaseAsync();
        await database.StringGetAsync(_probeKey);
    }

    public string Explain(Exception cause) => RedisReasons.Explain(cause);

    public bool IsAway(Exception cause) => RedisReasons.IsAway(cause);

    public async ValueTask DisposeAsync()
    {
        Task<IConnectionMultiplexer>? connecting;
        lock (_lock)
        {
            (connecting, _connecting, _disposed) = (_connecting, null, true);
        }

        if (connecting is null)
        {
            return;
        }

        // One that is still being made may take its whole timeout, which nobody should wait for; then it goes as soon as it is there.
        var closing = CloseAsync(connecting);
        if (connecting.IsCompleted)
        {
            await closing.ConfigureAwait(false);
        }
    }

    /// <summary>Closes a connection once it is made, if it ever is.</summary>
    public static async Task CloseAsync<T>(Task<T> connecting)
        where T : IConnectionMultiplexer
    {
        await ((Task)connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (connecting.IsCompletedSuccessfully)
        {
            await (await connecting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<IConnectionMultiplexer> ConnectCoreAsync() => await ConnectionMultiplexer.ConnectAsync(_options).ConfigureAwait(false);
}
