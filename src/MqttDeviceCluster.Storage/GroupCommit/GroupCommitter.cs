using System.Threading.Channels;

namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>How much a <see cref="GroupCommitter"/> holds, and puts into one commit.</summary>
internal sealed record GroupCommitLimits(int MaxPending, int MaxBatchSize);

/// <summary>
/// Drains a bounded queue of changes: whatever gathered while a commit ran is the next commit. Nobody waits for a batch to fill, so a lone writer pays for one commit and
/// many writers share one.
/// </summary>
internal sealed class GroupCommitter
{
    private readonly string _providerName;
    private readonly IGrainStateStore _store;
    private readonly GrainStorageHealth _health;
    private readonly GrainStorageMetrics _metrics;
    private readonly TimeProvider _timeProvider;
    private readonly int _maxBatchSize;
    private readonly Channel<PendingChange> _queue;
    private readonly Task _loop;
    private int _pending;

    public GroupCommitter(
        string providerName,
        IGrainStateStore store,
        GrainStorageHealth health,
        GrainStorageMetrics metrics,
        TimeProvider timeProvider,
        GroupCommitLimits limits)
    {
        _providerName = providerName;
        _store = store;
        _health = health;
        _metrics = metrics;
        _timeProvider = timeProvider;
        _maxBatchSize = limits.MaxBatchSize;
        _queue = Channel.CreateBounded<PendingChange>(new BoundedChannelOptions(limits.MaxPending) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

        // On the thread pool, whoever starts it: on a grain's scheduler the loop would wait for the grain that waits for it.
        using (ExecutionContext.SuppressFlow())
        {
            _loop = Task.Run(RunAsync);
        }
    }

    /// <summary>Gets how many changes wait, those that wait for a place in the queue included.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>Queues a change and waits until its batch is committed. Waits for a place while the queue is full.</summary>
    /// <param name="change">The change.</param>
    /// <param name="cancellationToken">
    /// Takes the change back while it waits. Once its commit has begun the commit decides, so that the caller always learns the ETag that was stored.
    /// </param>
    /// <exception cref="GrainStorageUnavailableException">The commit failed, or the storage was stopped.</exception>
    public async Task<GrainStateChangeResult> CommitAsync(GrainStateChange change, CancellationToken cancellationToken)
    {
        var pending = new PendingChange(change);
        Interlocked.Increment(ref _pending);
        _metrics.OnQueued(_providerName, 1);
        try
        {
            await _queue.Writer.WriteAsync(pending, cancellationToken);
            using (cancellationToken.UnsafeRegister(static (state, token) => ((PendingChange)state!).TryCancel(token), pending))
            {
                return await pending.Completion;
            }
        }
        catch (ChannelClosedException)
        {
            throw new GrainStorageUnavailableException(_providerName, $"Grain storage '{_providerName}' is stopped. Nothing was stored.");
        }
        finally
        {
            Interlocked.Decrement(ref _pending);
            _metrics.OnQueued(_providerName, -1);
        }
    }

    /// <summary>Takes no more changes and waits until those in the queue are committed or failed.</summary>
    public Task StopAsync()
    {
        _queue.Writer.TryComplete();
        return _loop;
    }

    private async Task RunAsync()
    {
        List<PendingChange> batch = new(Math.Min(_maxBatchSize, 1024));
        while (await _queue.Reader.WaitToReadAsync())
        {
            while (batch.Count < _maxBatchSize && _queue.Reader.TryRead(out var pending))
            {
                if (pending.TryTake())
                {
                    batch.Add(pending);
                }
            }

            if (batch.Count > 0)
            {
                await CommitBatchAsync(batch);
                batch.Clear();
            }
        }
    }

    private async Task CommitBatchAsync(List<PendingChange> batch)
    {
        var started = _timeProvider.GetTimestamp();
        IReadOnlyList<GrainStateChangeResult> results;
        _health.OnStarted(StoreOperation.Commit);
        try
        {
            results = await _store.CommitAsync(batch.ConvertAll(static pending => pending.Change));
            if (results.Count != batch.Count)
            {
                throw new InvalidOperationException($"a commit of {batch.Count} changes gave {results.Count} results");
            }
        }
        catch (Exception cause)
        {
            // Everything, not only the database's own errors: an operation that nobody fails waits for ever, and so do all behind it.
            _metrics.OnCommit(_providerName, _timeProvider.GetElapsedTime(started), batch.Count, succeeded: false);
            var reason = _health.OnFailure(StoreOperation.Commit, cause);
            foreach (var pending in batch)
            {
                pending.Fail(new GrainStorageUnavailableException(_providerName, reason));
            }

            return;
        }
        finally
        {
            _health.OnEnded(StoreOperation.Commit);
        }

        _metrics.OnCommit(_providerName, _timeProvider.GetElapsedTime(started), batch.Count, succeeded: true);
        var applied = false;
        for (var i = 0; i < batch.Count; i++)
        {
            applied |= results[i].Outcome == GrainStateChangeOutcome.Applied;
        }

        if (applied)
        {
            // A batch of conflicts touches no disk: it says nothing about whether one can be written.
            _health.OnSuccess(StoreOperation.Commit);
        }

        for (var i = 0; i < batch.Count; i++)
        {
            batch[i].Complete(results[i]);
        }
    }
}
