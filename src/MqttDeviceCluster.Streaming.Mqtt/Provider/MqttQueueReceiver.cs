using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>The pulling agent's end of one queue. It lives from when the silo takes the queue until it gives it up.</summary>
internal sealed class MqttQueueReceiver(MqttIntake intake, MqttStreamQueue queue, MqttQueueCache? cache) : IQueueAdapterReceiver
{
    public Task Initialize(TimeSpan timeout) => Initialize(timeout, CancellationToken.None);

    public Task Initialize(TimeSpan timeout, CancellationToken cancellationToken)
    {
        // Returns at once: a silo starts without a broker.
        intake.Attach();
        return Task.CompletedTask;
    }

    [Obsolete("The agent calls the overload with a token; without one this would wait for ever.")]
    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount) => GetQueueMessagesAsync(maxCount, CancellationToken.None);

    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount, CancellationToken cancellationToken) => queue.ReadAsync(cancellationToken);

    [Obsolete("Not used: the cache says when a message is finished.")]
    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages) => Task.CompletedTask;

    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task Shutdown(TimeSpan timeout) => Shutdown(timeout, CancellationToken.None);

    public async Task Shutdown(TimeSpan timeout, CancellationToken cancellationToken)
    {
        // If the queue comes back to this silo while the connection is still up, the broker will not send these again.
        if (cache is not null)
        {
            queue.Return(cache.TakeUnfinished());
        }

        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(timeout);
        await intake.DetachAsync(bound.Token);
    }
}
