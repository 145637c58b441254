namespace MqttDeviceCluster.Tests.Grains;

/// <summary>
/// Runs what is posted one at a time, as an activation does: code that belongs to one grain may rely on it, so its tests must give it. A test installs it
/// before its first await.
/// </summary>
internal sealed class TurnContext : SynchronizationContext
{
    private readonly ConcurrentExclusiveSchedulerPair _scheduler = new();

    public static void Install() => SetSynchronizationContext(new TurnContext());

    public override void Post(SendOrPostCallback d, object? state) => Task.Factory.StartNew(
        () =>
        {
            SetSynchronizationContext(this);
            try
            {
                d(state);
            }
            finally
            {
                SetSynchronizationContext(null);
            }
        },
        CancellationToken.None,
        TaskCreationOptions.DenyChildAttach,
        _scheduler.ExclusiveScheduler);

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("Turns are not waited for.");
}
