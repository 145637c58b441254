using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage.Hosting;
using Orleans.Clustering.Redis;
using Orleans.Configuration;
using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>Connects to where Redis clustering is about to: what keeps it from working is then one sentence.</summary>
internal sealed partial class RedisClusteringCheck(IOptions<RedisClusteringOptions> options, IOptions<ClusterOptions> cluster, DatabaseStart start, ILogger<RedisClusteringCheck> logger)
    : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(nameof(RedisClusteringCheck), ServiceLifecycleStage.RuntimeInitialize, CheckAsync);

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (options.Value.ConfigurationOptions is not { EndPoints.Count: > 0 } configuration)
        {
            // A connection of the host's own.
            return;
        }

        var location = RedisReasons.Describe(configuration);
        await start.OpenAsync(
            token => ConnectAsync(configuration, token),
            RedisReasons.IsAway,
            cause => new ClusteringUnavailableException($"Clustering cannot use {location}: {RedisReasons.Explain(cause)}.", cause),
            cancellationToken);
        LogReady(location);
    }

    private async Task ConnectAsync(ConfigurationOptions configuration, CancellationToken cancellationToken)
    {
        var connecting = ConnectionMultiplexer.ConnectAsync(configuration);
        try
        {
            var multiplexer = await connecting.WaitAsync(cancellationToken);
            await multiplexer.GetDatabase().KeyExistsAsync(options.Value.CreateRedisKey(cluster.Value)).WaitAsync(cancellationToken);
        }
        finally
        {
            // Not awaited: a start that was given up while it connects would go on waiting for it.
            _ = RedisConnection.CloseAsync(connecting);
        }
    }

    [LoggerMessage(LogLevel.Information, "Clustering over {Location}.")]
    private partial void LogReady(string location);
}
