namespace MqttDeviceCluster.IntegrationTests.Fleet;

/// <summary>Reads a watch and keeps what it was told.</summary>
internal sealed class WatchLog : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly List<DeviceEvent> _events = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _run;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WatchLog(Func<CancellationToken, IAsyncEnumerable<DeviceEvent>> watch) => _run = ReadAsync(watch(_stopping.Token));

    /// <summary>Gets what was told so far, in its order.</summary>
    public IReadOnlyList<DeviceEvent> Events
    {
        get
        {
            lock (_lock)
            {
                return [.. _events];
            }
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _events.Count;
            }
        }
    }

    /// <summary>Starts a watch, and returns when it has its first event: from then on it is told everything.</summary>
    public static async Task<WatchLog> StartAsync(Func<CancellationToken, IAsyncEnumerable<DeviceEvent>> watch)
    {
        WatchLog log = new(watch);
        await log.WaitForCountAsync(1);
        return log;
    }

    /// <summary>Waits until so many events were told, the first one included.</summary>
    public async Task WaitForCountAsync(int count, TimeSpan? bound = null) =>
        await WaitAsync(() => _events.Count >= count, () => $"{count} events, and had {_events.Count}", bound);

    /// <summary>Waits for an event, and returns it with its place.</summary>
    /// <param name="match">Which event.</param>
    /// <param name="what">The event in words.</param>
    /// <param name="after">The place before the first one that is looked at.</param>
    /// <param name="bound">How long to wait.</param>
    public async Task<(T Event, int Index)> WaitForAsync<T>(Func<T, bool> match, string what, int after = -1, TimeSpan? bound = null)
        where T : DeviceEvent
    {
        var next = after + 1;
        (T, int)? found = null;
        await WaitAsync(
            () =>
            {
                for (; found is null && next < _events.Count; next++)
                {
                    if (_events[next] is T value && match(value))
                    {
                        found = (value, next);
                    }
                }

                return found is not null;
            },
            () => $"{what}; there were:\n{string.Join('\n', _events.TakeLast(30))}",
            bound);
        return found!.Value;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task ReadAsync(IAsyncEnumerable<DeviceEvent> watch)
    {
        // Not on the caller's thread, which may have something else to do.
        await Task.Yield();
        await foreach (var value in watch)
        {
            TaskCompletionSource changed;
            lock (_lock)
            {
                _events.Add(value);
                (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
            }

            changed.SetResult();
        }
    }

    private async Task WaitAsync(Func<bool> condition, Func<string> what, TimeSpan? bound)
    {
        using CancellationTokenSource limit = new(bound ?? Bound);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (condition())
                {
                    return;
                }

                changed = _changed.Task;
            }

            if (await Task.WhenAny(changed, _run, Task.Delay(Timeout.Infinite, limit.Token)) is var ended && ended == _run)
            {
                await _run;
                throw new InvalidOperationException("The watch ended.");
            }

            if (limit.IsCancellationRequested)
            {
                lock (_lock)
                {
                    throw new TimeoutException($"Waited {bound ?? Bound} for {what()}.");
                }
            }
        }
    }
}
