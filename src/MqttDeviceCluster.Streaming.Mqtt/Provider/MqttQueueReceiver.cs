using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>The pulling agent's end of one queue. It lives from when the silo takes the queue until it gives it up.</summary>
internal sealed class MqttQueueReceiver(MqttIntake intake, MqttStreamQueue queue, MqttQueueCache? cache) : IQueueAdapterReceiver
{
    private readonly TimeSpan _lookAfter = TimeSpan.FromMilliseconds(Math.Min(1000, intake.Options.MaxDeliveryTime.TotalMilliseconds / 4));
    private int _generation;

    public Task Initialize(TimeSpan timeout) => Initialize(timeout, CancellationToken.None);

    public Task Initialize(TimeSpan timeout, CancellationToken cancellationToken)
    {
        // Returns at once: a silo starts without a broker.
        _generation = intake.Attach();
        return Task.CompletedTask;
    }

    [Obsolete("The agent calls the overload with a token; without one this would wait for ever.")]
    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount) => GetQueueMessagesAsync(maxCount, CancellationToken.None);

    public async Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount, CancellationToken cancellationToken)
    {
        var read = queue.ReadAsync(cancellationToken);
        while (!read.IsCompleted && cache is { HasDeliveries: true })
        {
            // Nothing may come for long, and a consumer may hang meanwhile. The cache lives on the agent's scheduler, which is where this continues.
            // The token ends the read; here it would only turn this into a busy loop until that is through.
            await ((Task)read).WaitAsync(_lookAfter, intake.TimeProvider, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.SuppressThrowing);
            cache.GiveUpOverdue();
        }

        return await read;
    }

    [Obsolete("Not used: the cache says when a message is finished.")]
    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages) => Task.CompletedTask;

    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task Shutdown(TimeSpan timeout) => Shutdown(timeout, CancellationToken.None);

    public async Task Shutdown(TimeSpan timeout, CancellationToken cancellationToken)
    {
        // What is not finished is left behind: the broker sends it again, to whoever has the queue next.
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(timeout);
        await intake.DetachAsync(_generation, bound.Token);
    }
}
