using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>What a store can fail at. On a full disk commits fail and reads do not, so each has its own state.</summary>
internal enum StoreOperation
{
    Commit = 0,
    Read = 1,
}

/// <summary>
/// Knows whether the store fails, logs it once, once a minute while it lasts and when it is over, and probes it while it fails, so that it recovers when nobody uses it.
/// </summary>
internal sealed partial class GrainStorageHealth : IAsyncDisposable
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StallLogInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan FirstProbeDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxProbeDelay = TimeSpan.FromSeconds(5);

    /// <summary>A store that does not answer for so long counts as failing: a disk that hangs reports no error.</summary>
    internal static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(2);

    private readonly string _providerName;
    private readonly IProbedStore _store;
    private readonly GrainStorageMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeProvider _timeProvider;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly long[] _failures = new long[2];
    private readonly long[] _toldAt = new long[2];
    private readonly bool[] _told = new bool[2];
    private readonly string?[] _problems = new string?[2];
    private readonly int[] _running = new int[2];
    private readonly long[] _lastProgress = new long[2];
    private readonly long[] _stallToldAt = new long[2];
    private readonly long[] _stallsHeldBack = new long[2];
    private Task _probe = Task.CompletedTask;
    private bool _probing;

    public GrainStorageHealth(string providerName, IProbedStore store, GrainStorageMetrics metrics, ILogger logger, TimeProvider timeProvider)
    {
        _providerName = providerName;
        _store = store;
        _metrics = metrics;
        _logger = logger;
        _timeProvider = timeProvider;
    }

    public string? Problem => Reported ?? Stall(StoreOperation.Commit) ?? Stall(StoreOperation.Read);

    private string? Reported => Volatile.Read(ref _problems[0]) ?? Volatile.Read(ref _problems[1]);

    /// <summary>The store was asked for something. Each call is followed by one of <see cref="OnEnded"/>, however it ends.</summary>
    public void OnStarted(StoreOperation operation)
    {
        lock (_lock)
        {
            if (_running[(int)operation]++ == 0)
            {
                _lastProgress[(int)operation] = _timeProvider.GetTimestamp();
            }
        }
    }

    public void OnEnded(StoreOperation operation)
    {
        var elapsed = TimeSpan.Zero;
        lock (_lock)
        {
            elapsed = _timeProvider.GetElapsedTime(_lastProgress[(int)operation]);
            _running[(int)operation]--;
            _lastProgress[(int)operation] = _timeProvider.GetTimestamp();
        }

        if (elapsed >= StallLimit && MayTellStall(operation) is { } heldBack)
        {
            LogStalled(_providerName, operation, _store.Location, elapsed, heldBack);
        }
    }

    /// <summary>Returns how many were not told since the last one that was, or <see langword="null"/> if that was not long ago: a slow store is slow each time.</summary>
    private long? MayTellStall(StoreOperation operation)
    {
        var i = (int)operation;
        lock (_lock)
        {
            if (_stallToldAt[i] != 0 && _timeProvider.GetElapsedTime(_stallToldAt[i]) < StallLogInterval)
            {
                _stallsHeldBack[i]++;
                return null;
            }

            var heldBack = _stallsHeldBack[i];
            (_stallToldAt[i], _stallsHeldBack[i]) = (_timeProvider.GetTimestamp(), 0);
            return heldBack;
        }
    }

    /// <summary>Notes a failure.</summary>
    /// <returns>What failed and why, in a sentence for the caller.</returns>
    public string OnFailure(StoreOperation operation, Exception cause)
    {
        var problem = Describe(operation, cause);
        _metrics.OnError(_providerName, operation == StoreOperation.Commit ? "commit" : "read");
        long count;
        bool tells;
        lock (_lock)
        {
            count = ++_failures[(int)operation];
            tells = MayTell((int)operation);
            Volatile.Write(ref _problems[(int)operation], problem);
            if (!_probing && !_stopping.IsCancellationRequested)
            {
                _probing = true;
                using (ExecutionContext.SuppressFlow())
                {
                    _probe = Task.Run(ProbeAsync);
                }
            }
        }

        if (tells && count == 1)
        {
            LogFailing(cause, problem);
        }
        else if (tells)
        {
            LogStillFailing(problem, count);
        }

        return problem;
    }

    // Also of a store that fails and recovers many times in a minute. Under the lock.
    private bool MayTell(int operation)
    {
        if (_toldAt[operation] != 0 && _timeProvider.GetElapsedTime(_toldAt[operation]) < LogInterval)
        {
            return false;
        }

        (_toldAt[operation], _told[operation]) = (_timeProvider.GetTimestamp(), true);
        return true;
    }

    public void OnSuccess(StoreOperation operation)
    {
        if (Volatile.Read(ref _problems[(int)operation]) is null)
        {
            return;
        }

        long count;
        bool tells;
        lock (_lock)
        {
            (count, tells) = (_failures[(int)operation], _told[(int)operation]);
            (_failures[(int)operation], _told[(int)operation]) = (0, false);
            Volatile.Write(ref _problems[(int)operation], null);
        }

        // Nobody wants to hear of the end of what he was not told of.
        if (tells)
        {
            LogRecovered(_providerName, operation, _store.Location, count);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task probe;
        lock (_lock)
        {
            _stopping.Cancel();
            probe = _probe;
        }

        // It ends by cancellation, and reports what else it meets itself.
        await probe.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private string? Stall(StoreOperation operation)
    {
        lock (_lock)
        {
            if (_running[(int)operation] == 0)
            {
                return null;
            }

            var elapsed = _timeProvider.GetElapsedTime(_lastProgress[(int)operation]);
            return elapsed < StallLimit
                ? null
                : $"Grain storage '{_providerName}' waits for a {operation.ToString().ToLowerInvariant()} at {_store.Location} since {elapsed.TotalSeconds:0} s.";
        }
    }

    private string Describe(StoreOperation operation, Exception cause) => operation == StoreOperation.Commit
        ? $"Grain storage '{_providerName}' could not write to {_store.Location}: {_store.Explain(cause)}."
        : $"Grain storage '{_providerName}' could not read from {_store.Location}: {_store.Explain(cause)}.";

    private async Task ProbeAsync()
    {
        var delay = FirstProbeDelay;
        while (true)
        {
            await Task.Delay(delay, _timeProvider, _stopping.Token);
            delay = delay * 2 < MaxProbeDelay ? delay * 2 : MaxProbeDelay;
            await TryAsync(StoreOperation.Commit, _store.ProbeWriteAsync);
            await TryAsync(StoreOperation.Read, _store.ProbeReadAsync);
            lock (_lock)
            {
                if (Reported is null)
                {
                    _probing = false;
                    return;
                }
            }
        }
    }

    private async Task TryAsync(StoreOperation operation, Func<Task> probe)
    {
        if (Volatile.Read(ref _problems[(int)operation]) is null)
        {
            return;
        }

        try
        {
            await probe();
        }
        catch (Exception cause)
        {
            // Any error means that it still fails; the first one was logged, and the latest is what the status shows.
            var problem = Describe(operation, cause);
            lock (_lock)
            {
                // A commit may have succeeded meanwhile, and is newer than this probe.
                if (_problems[(int)operation] is not null)
                {
                    Volatile.Write(ref _problems[(int)operation], problem);
                }
            }

            return;
        }

        OnSuccess(operation);
    }

    [LoggerMessage(LogLevel.Error, "{Problem} Until it recovers this is logged once a minute.")]
    private partial void LogFailing(Exception cause, string problem);

    [LoggerMessage(LogLevel.Error, "{Problem} Failures in a row: {Count}.")]
    private partial void LogStillFailing(string problem, long count);

    [LoggerMessage(LogLevel.Warning, "Grain storage '{Provider}' got no answer to a {Operation} from {Location} for {Elapsed} ({HeldBack} more since the last report).")]
    private partial void LogStalled(string provider, StoreOperation operation, string location, TimeSpan elapsed, long heldBack);

    [LoggerMessage(LogLevel.Warning, "Grain storage '{Provider}' recovered: {Operation} at {Location} works again after {Count} failures.")]
    private partial void LogRecovered(string provider, StoreOperation operation, string location, long count);
}
