namespace MqttDeviceCluster;

/// <summary>
/// A line in which callers take turns, first come first served, with a bounded number waiting. Used from one thread at a time (a grain's);
/// only cancellation may come from another.
/// </summary>
internal sealed class CommandLine(int capacity)
{
    private readonly LinkedList<TaskCompletionSource> _waiting = new();
    private bool _taken;

    /// <summary>Gets how many wait for their turn.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Gets whether nobody has a turn or waits for one.</summary>
    public bool IsIdle => !_taken && _waiting.Count == 0;

    /// <summary>
    /// Takes a place in the line. Returns <see langword="null"/> when it is full, and else a task that ends when it is the caller's turn, which
    /// <see cref="Leave"/> must end. The task is cancelled with <paramref name="cancellationToken"/>; then there is no turn to end.
    /// </summary>
    public Task? TryEnter(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }

        if (!_taken)
        {
            _taken = true;
            return Task.CompletedTask;
        }

        if (_waiting.Count >= capacity)
        {
            // Those who gave up a moment ago may not have left yet.
            RemoveCancelled();
            if (_waiting.Count >= capacity)
            {
                return null;
            }
        }

        return WaitAsync(cancellationToken);
    }

    /// <summary>Ends the caller's turn: the first in line that has not given up is next.</summary>
    public void Leave()
    {
        while (_waiting.First is { } first)
        {
            _waiting.RemoveFirst();
            if (first.Value.TrySetResult())
            {
                return;
            }
        }

        _taken = false;
    }

    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var place = _waiting.AddLast(turn);
        try
        {
            // Whoever comes first, the turn or the cancellation, wins: a turn is never given to someone who has left, nor lost.
            await using (cancellationToken.UnsafeRegister(
                static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), turn))
            {
                await turn.Task;
            }
        }
        finally
        {
            if (place.List is not null)
            {
                _waiting.Remove(place);
            }
        }
    }

    private void RemoveCancelled()
    {
        for (var place = _waiting.First; place is not null;)
        {
            var next = place.Next;
            if (place.Value.Task.IsCanceled)
            {
                _waiting.Remove(place);
            }

            place = next;
        }
    }
}
