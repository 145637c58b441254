namespace MqttDeviceCluster.Silo.FleetPage;

/// <summary>
/// One <see cref="FleetFeed"/> for all browsers: it begins with the first and ends a little after the last one left. While nobody looks, the page
/// costs the cluster nothing.
/// </summary>
internal sealed class FleetPageHub : IAsyncDisposable
{
    /// <summary>How many browsers are served at a time, so that what they cost is bounded.</summary>
    public const int MaxReaders = 100;

    // A page that is loaded again finds the fleet there.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly IDeviceCluster _cluster;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping;
    private readonly ITimer _timer;
    private (FleetFeed Feed, CancellationTokenSource End, Task Running)? _current;
    private Task _ended = Task.CompletedTask;
    private int _readers;

    public FleetPageHub(IDeviceCluster cluster, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<FleetPageHub> logger)
    {
        (_cluster, _time, _logger) = (cluster, time, logger);
        _stopping = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStopping);
        _timer = time.CreateTimer(_ => EndUnused(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Lets a browser in, until the result is disposed. Returns <see langword="null"/> when there are too many already, or the host stops.</summary>
    public FleetReader? TryJoin()
    {
        lock (_gate)
        {
            if (_readers == MaxReaders || _stopping.IsCancellationRequested)
            {
                return null;
            }

            if (_current is null)
            {
                var feed = new FleetFeed(_cluster, _time, _logger);
                var end = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                _current = (feed, end, Task.Run(() => feed.RunAsync(end.Token)));
            }

            _readers++;
            return new FleetReader(_current.Value.Feed.Model, Leave);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _timer.DisposeAsync();
        Task ended;
        lock (_gate)
        {
            _readers = 0;
            EndUnused();
            ended = _ended;
        }

        await ended;
        _stopping.Dispose();
    }

    private void Leave()
    {
        lock (_gate)
        {
            if (--_readers == 0 && !_stopping.IsCancellationRequested)
            {
                _timer.Change(Linger, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void EndUnused()
    {
        lock (_gate)
        {
            if (_readers == 0 && _current is var (_, end, running))
            {
                _current = null;
                _ended = EndAsync(_ended, end, running);
            }
        }
    }

    private static async Task EndAsync(Task before, CancellationTokenSource end, Task running)
    {
        await end.CancelAsync();
        await running;
        end.Dispose();
        await before;
    }
}

/// <summary>A browser's place in the changes of the fleet. One caller at a time.</summary>
internal sealed class FleetReader(FleetModel model, Action leave) : IDisposable
{
    /// <summary>How many devices are told at once: some ten thousands of bytes.</summary>
    public const int BatchSize = 500;

    private readonly FleetCursor _cursor = new();
    private readonly FleetRowWriter _rows = new();
    private bool _left;

    public FleetStatus Status => model.Status;

    /// <summary>Returns the next changes as JSON, or <see langword="null"/> when there are none.</summary>
    /// <param name="more">Whether there are more.</param>
    public string? Read(out bool more)
    {
        more = model.Read(_cursor, _rows, BatchSize);
        return _rows.Count > 0 ? _rows.Take() : null;
    }

    public void Dispose()
    {
        if (!_left)
        {
            _left = true;
            _rows.Dispose();
            leave();
        }
    }
}
