using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Clustering.Redis;
using Orleans.Configuration;
using StackExchange.Redis;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>Connects to where Redis clustering is about to: what keeps it from working is then one sentence.</summary>
internal sealed partial class RedisClusteringCheck(IOptions<RedisClusteringOptions> options, IOptions<ClusterOptions> cluster, ILogger<RedisClusteringCheck> logger)
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
        var connecting = ConnectionMultiplexer.ConnectAsync(configuration);
        try
        {
            var multiplexer = await connecting.WaitAsync(cancellationToken);
            await multiplexer.GetDatabase().KeyExistsAsync(options.Value.CreateRedisKey(cluster.Value)).WaitAsync(cancellationToken);
        }
        catch (Exception cause) when (cause is not OperationCanceledException)
        {
            throw new ClusteringUnavailableException($"Clustering cannot use {location}: {RedisReasons.Explain(cause)}.", cause);
        }
        finally
        {
            // Not awaited: a start that was given up while it connects would go on waiting for it.
            _ = RedisConnection.CloseAsync(connecting);
        }

        LogReady(location);
    }

    [LoggerMessage(LogLevel.Information, "Clustering over {Location}.")]
    private partial void LogReady(string location);
}
