using MqttDeviceCluster.IntegrationTests.Infrastructure;

[assembly: AssemblyFixture(typeof(SharedServers))]

namespace MqttDeviceCluster.IntegrationTests.Infrastructure;

/// <summary>One server of each kind for the tests that leave it running, started when the first of them asks.</summary>
public sealed class SharedServers : IAsyncDisposable
{
    private readonly Lazy<Task<PostgreSqlServer>> _postgreSql = new(PostgreSqlServer.StartNewAsync);
    private readonly Lazy<Task<RedisServer>> _redis = new(RedisServer.StartNewAsync);

    /// <summary>Gets a PostgreSQL server. A test has a database of its own there.</summary>
    public Task<PostgreSqlServer> PostgreSqlAsync() => _postgreSql.Value;

    /// <summary>Gets a Redis server. A test has a service id and cluster id of its own there.</summary>
    public Task<RedisServer> RedisAsync() => _redis.Value;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_postgreSql.IsValueCreated && _postgreSql.Value.IsCompletedSuccessfully)
        {
            await (await _postgreSql.Value).DisposeAsync();
        }

        if (_redis.IsValueCreated && _redis.Value.IsCompletedSuccessfully)
        {
            await (await _redis.Value).DisposeAsync();
        }
    }
}
