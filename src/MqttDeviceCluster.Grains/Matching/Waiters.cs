namespace MqttDeviceCluster;

/// <summary>
/// Those who wait for updates. Each is shown an update when it is applied, and told only when the state with it is stored: a confirmation is never
/// more than the store holds.
/// </summary>
/// <remarks>
/// An update whose write failed keeps its place in the matches; whichever later write stores the state completes them. So a
/// redelivery that is recognized as a repetition still confirms.
/// </remarks>
internal sealed class Waiters
{
    private readonly List<Waiter> _waiters = [];

    public Waiter Add(IMatch match)
    {
        Waiter waiter = new(match);
        _waiters.Add(waiter);
        return waiter;
    }

    public void Remove(Waiter waiter) => _waiters.Remove(waiter);

    /// <summary>Shows an update to all. <paramref name="version"/> is the version of the state that must be stored first.</summary>
    public void Observe(in ObservedUpdate update, long version)
    {
        foreach (var waiter in _waiters)
        {
            if (!waiter.Match.IsSatisfied)
            {
                waiter.Match.Observe(update);
                waiter.NoteIfSatisfied(version);
            }
        }
    }

    /// <summary>Completes those that were satisfied by <paramref name="storedVersion"/> or an earlier one.</summary>
    public void Complete(long storedVersion)
    {
        foreach (var waiter in _waiters)
        {
            waiter.CompleteIfStored(storedVersion);
        }
    }
}

/// <summary>One that waits.</summary>
internal sealed class Waiter(IMatch match)
{
    // Continuations run later: completing must not run a command in the middle of an update.
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _satisfiedAt = long.MaxValue;

    public IMatch Match => match;

    /// <summary>Gets a task that ends when the match is satisfied and stored. It never fails.</summary>
    public Task Done => _done.Task;

    public void NoteIfSatisfied(long version)
    {
        if (match.IsSatisfied)
        {
            _satisfiedAt = Math.Min(_satisfiedAt, version);
        }
    }

    public void CompleteIfStored(long storedVersion)
    {
        if (_satisfiedAt <= storedVersion)
        {
            _done.TrySetResult();
        }
    }
}
