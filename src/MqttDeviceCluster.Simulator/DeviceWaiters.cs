namespace MqttDeviceCluster.Simulator;

/// <summary>Who waits for what happens next to a device. Costs nothing until someone does.</summary>
internal sealed class DeviceWaiters
{
    private readonly Lock _lock = new();
    private List<(Func<ReceivedCommand, bool>? Match, TaskCompletionSource<ReceivedCommand> Source)>? _commands;
    private List<(int Pin, TaskCompletionSource Source)>? _pulses;

    public Task<ReceivedCommand> AddCommand(Func<ReceivedCommand, bool>? match, CancellationToken cancellationToken)
    {
        var source = new TaskCompletionSource<ReceivedCommand>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            (_commands ??= []).Add((match, source));
        }

        return source.Task.WaitAsync(cancellationToken);
    }

    public Task AddPulse(int pin, CancellationToken cancellationToken)
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            (_pulses ??= []).Add((pin, source));
        }

        return source.Task.WaitAsync(cancellationToken);
    }

    public void Complete(ReceivedCommand command)
    {
        lock (_lock)
        {
            _commands?.RemoveAll(waiter => (waiter.Match is null || waiter.Match(command)) && waiter.Source.TrySetResult(command));
        }
    }

    public void CompletePulse(int pin)
    {
        lock (_lock)
        {
            _pulses?.RemoveAll(waiter => waiter.Pin == pin && waiter.Source.TrySetResult());
        }
    }
}
