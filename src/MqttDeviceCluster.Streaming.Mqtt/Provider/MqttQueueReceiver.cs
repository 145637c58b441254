using Orleans.Streams;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>The pulling agent's end of one queue. It lives from when the silo takes the queue until it gives it up.</summary>
internal sealed class MqttQueueReceiver(MqttIntake intake, MqttStreamQueue queue, MqttQueueCache? cache) : IQueueAdapterReceiver
{
    private readonly TimeSpan _lookAfter = TimeSpan.FromMilliseconds(Math.Min(1000, intake.Options.MaxDeliveryTime.TotalMilliseconds / 4));
    private readonly Action _onNudged = () => cache?.GiveUpOverdue();
    private ITimer? _nudge;
    private int _generation;

    public Task Initialize(TimeSpan timeout) => Initialize(timeout, CancellationToken.None);

    public Task Initialize(TimeSpan timeout, CancellationToken cancellationToken)
    {
        // Returns at once: a silo starts without a broker.
        _generation = intake.Attach();

        // Nothing may come for long, and a consumer may hang meanwhile. One timer for all reads: they are many.
        _nudge = intake.TimeProvider.CreateTimer(static receiver => ((MqttQueueReceiver)receiver!).Nudge(), this, _lookAfter, _lookAfter);
        return Task.CompletedTask;
    }

    [Obsolete("The agent calls the overload with a token; without one this would wait for ever.")]
    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount) => GetQueueMessagesAsync(maxCount, CancellationToken.None);

    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount, CancellationToken cancellationToken) =>
        // It continues on the agent's scheduler, which is where the cache lives.
        queue.ReadAsync(_onNudged, cancellationToken);

    [Obsolete("Not used: the cache says when a message is finished.")]
    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages) => Task.CompletedTask;

    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task Shutdown(TimeSpan timeout) => Shutdown(timeout, CancellationToken.None);

    public async Task Shutdown(TimeSpan timeout, CancellationToken cancellationToken)
    {
        _nudge?.Dispose();

        // What is not finished is left behind: the broker sends it again, to whoever has the queue next.
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(timeout);
        await intake.DetachAsync(_generation, bound.Token);
    }

    private void Nudge()
    {
        if (cache is { HasDeliveries: true })
        {
            queue.Nudge();
        }
    }
}
