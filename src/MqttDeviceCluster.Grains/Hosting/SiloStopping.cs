namespace MqttDeviceCluster;

/// <summary>
/// Ends what a silo does for callers when it stops: first no command begins any more while those that were sent are still confirmed, then everything that waits ends.
/// A command that waits for its device would otherwise hold the stop until its timeout: it keeps its activation busy, and its confirmation is no longer delivered.
/// </summary>
internal sealed class SiloStopping(TimeProvider? time = null) : IDisposable
{
    /// <summary>
    /// How long commands that were sent may take. Most devices answer within milliseconds; while one does not, the commands that the silo no longer takes wait with their callers.
    /// </summary>
    public static readonly TimeSpan FinishTime = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private int _running;

    /// <summary>Gets the token that is cancelled when no command begins any more.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>Gets the token that is cancelled when everything is to end.</summary>
    public CancellationToken Token => _stopping.Token;

    /// <summary>Says that a command is about to be sent, which <see cref="End"/> must follow; returns <see langword="false"/> when none begins any more.</summary>
    public bool TryBegin()
    {
        lock (_lock)
        {
            if (_closing.IsCancellationRequested)
            {
                return false;
            }

            _running++;
            return true;
        }
    }

    /// <summary>Says that a command has ended.</summary>
    public void End()
    {
        lock (_lock)
        {
            if (--_running == 0 && _closing.IsCancellationRequested)
            {
                _finished.TrySetResult();
            }
        }
    }

    /// <summary>Lets no command begin, waits up to <see cref="FinishTime"/> for those that run, and ends everything.</summary>
    /// <param name="cancellationToken">Cancelled when there is no time left for that.</param>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // Under the lock nothing else runs: who is told so goes on elsewhere.
            _ = _closing.CancelAsync();
            if (_running == 0)
            {
                _finished.TrySetResult();
            }
        }

        await _finished.Task.WaitAsync(FinishTime, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopping.CancelAsync();
    }

    public void Dispose()
    {
        _closing.Dispose();
        _stopping.Dispose();
    }
}

/// <summary>Stops a silo's commands when it is its turn to leave, and before anything that they need.</summary>
internal sealed class SiloStoppingParticipant(SiloStopping stopping, LeavingInTurn turn) : ILifecycleParticipant<ISiloLifecycle>
{
    // Stages stop from the last to the first, so this one comes while the silo still is a member that receives updates.
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        nameof(SiloStopping), ServiceLifecycleStage.Last, static _ => Task.CompletedTask, StopAsync);

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        try
        {
            await turn.WaitAsync(cancellationToken);
        }
        finally
        {
            await stopping.StopAsync(cancellationToken);
        }
    }
}
