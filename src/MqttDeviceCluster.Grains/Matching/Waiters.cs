namespace MqttDeviceCluster;

/// <summary>
/// Those who wait for updates: each is told what the device said as soon as it is applied. It need not be stored yet: until it is, it is not acknowledged,
/// and the broker sends it again to whichever silo has the device next.
/// </summary>
internal sealed class Waiters
{
    private List<Waiter>? _waiters;

    public Waiter Add(IMatch match)
    {
        Waiter waiter = new(match);
        (_waiters ??= new(1)).Add(waiter);
        return waiter;
    }

    public void Remove(Waiter waiter) => _waiters?.Remove(waiter);

    /// <summary>Shows an update to all that still wait.</summary>
    public void Observe(in ObservedUpdate update)
    {
        if (_waiters is null)
        {
            return;
        }

        foreach (var waiter in _waiters)
        {
            if (!waiter.Match.IsSatisfied)
            {
                waiter.Match.Observe(update);
                waiter.CompleteIfSatisfied();
            }
        }
    }
}

/// <summary>One that waits.</summary>
internal sealed class Waiter(IMatch match)
{
    // Continuations run later: completing must not run a command in the middle of an update.
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IMatch Match => match;

    /// <summary>Gets a task that ends when the match is satisfied. It never fails.</summary>
    public Task Done => _done.Task;

    public void CompleteIfSatisfied()
    {
        if (match.IsSatisfied)
        {
            _done.TrySetResult();
        }
    }
}
