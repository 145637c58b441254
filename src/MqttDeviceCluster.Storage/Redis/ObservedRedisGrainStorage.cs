using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Hosting;
using Orleans.Serialization.Serializers;
using Orleans.Storage;

namespace MqttDeviceCluster.Storage.Redis;

/// <summary>
/// Orleans' Redis storage, which says how it is and can be scanned like the other storages here, and throws what they throw. Orleans' own exceptions do not tell a store that
/// is away from a record that cannot be read: when one comes, the store is asked.
/// </summary>
internal sealed partial class ObservedRedisGrainStorage : IGrainStorage, IGrainStorageStatus, IGrainStateScanner, ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable, IDisposable
{
    private readonly string _name;
    private readonly string _serviceId;
    private readonly IGrainStorage _inner;
    private readonly RedisConnection _connection;
    private readonly RedisGrainStateScanner _scanner;
    private readonly GrainStatePages _pages;
    private readonly GrainStorageMetrics _metrics;
    private readonly DatabaseStart _start;
    private readonly GrainStorageHealth _health;
    private readonly ILogger _logger;
    private int _pending;
    private int _disposed;

    public ObservedRedisGrainStorage(
        string name,
        string serviceId,
        IGrainStorage inner,
        RedisConnection connection,
        IGrainStorageSerializer serializer,
        IActivatorProvider activators,
        GrainStorageMetrics metrics,
        DatabaseStart start,
        TimeProvider timeProvider,
        ILogger<GrainStorageHealth> logger)
    {
        _name = name;
        _serviceId = serviceId;
        _inner = inner;
        _connection = connection;
        _metrics = metrics;
        _start = start;
        _logger = logger;
        _health = new GrainStorageHealth(name, connection, metrics, logger, timeProvider);
        _scanner = new RedisGrainStateScanner(serviceId, connection, timeProvider);
        _pages = new GrainStatePages(name, serializer, activators, metrics, logger);
    }

    public bool IsFailing => _health.Problem is not null;

    public string? Problem => _health.Problem;

    public int PendingOperations => Volatile.Read(ref _pending);

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        RunAsync("read", StoreOperation.Read, stateName, grainId, () => _inner.ReadStateAsync(stateName, grainId, grainState));

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        RunAsync("write", StoreOperation.Commit, stateName, grainId, () => _inner.WriteStateAsync(stateName, grainId, grainState));

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        RunAsync("clear", StoreOperation.Commit, stateName, grainId, () => _inner.ClearStateAsync(stateName, grainId, grainState));

    public async Task<GrainStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxRecords, CancellationToken cancellationToken)
    {
        if (ScanArguments.Check(_serviceId, grainType, stateName, keyPrefix, continuation, maxRecords) is not { } range)
        {
            return new([], null);
        }

        cancellationToken.ThrowIfCancellationRequested();
        var limits = GrainStatePages.Limits(maxRecords);
        List<ScannedGrainState> stored;
        string? next;
        try
        {
            (stored, next) = await Task.Run(() => ScanAsync(range, limits), cancellationToken).WaitAsync(cancellationToken);
            _health.OnSuccess(StoreOperation.Read);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _metrics.OnOperation(_name, "scan", GrainStorageMetrics.Cancelled);
            throw;
        }
        catch (Exception cause)
        {
            _metrics.OnOperation(_name, "scan", GrainStorageMetrics.Failed);
            throw new GrainStorageUnavailableException(_name, _health.OnFailure(StoreOperation.Read, cause));
        }

        var page = await _pages.CreateAsync<T>(stored, next, range, cancellationToken);
        _metrics.OnOperation(_name, "scan", GrainStorageMetrics.Ok);
        return page;
    }

    public void Participate(ISiloLifecycle lifecycle)
    {
        // Before Orleans' own, which would fail with all that the driver has to say.
        lifecycle.Subscribe($"{nameof(ObservedRedisGrainStorage)}-{_name}", ServiceLifecycleStage.RuntimeStorageServices, OpenAsync);
        (_inner as ILifecycleParticipant<ISiloLifecycle>)?.Participate(lifecycle);
    }

    public async ValueTask DisposeAsync()
    {
        // The container disposes it once for each of the services that it is.
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _health.DisposeAsync().ConfigureAwait(false);
        await _scanner.DisposeAsync().ConfigureAwait(false);
        await _connection.DisposeAsync().ConfigureAwait(false);
    }

    // A container that is disposed synchronously asks for this one.
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        await _start.OpenAsync(
            token => _connection.ProbeWriteAsync().WaitAsync(token),
            _connection.IsAway,
            cause =>
            {
                LogOpenFailed(cause, _name, _connection.Location);
                return new GrainStorageUnavailableException(_name, $"Grain storage '{_name}' cannot open {_connection.Location}: {_connection.Explain(cause)}.");
            },
            cancellationToken);
        LogOpened(_name, _connection.Location);
    }

    private async Task<(List<ScannedGrainState> Records, string? Continuation)> ScanAsync(GrainStateRange range, GrainStatePageLimits limits)
    {
        // A walk through all keys takes its time and is no stall: each of its steps is short, and one that is not answered fails by the driver's timeout.
        var page = await _scanner.FindAsync(range, limits);
        _health.OnStarted(StoreOperation.Read);
        try
        {
            return await _scanner.ReadAsync(page, limits);
        }
        finally
        {
            _health.OnEnded(StoreOperation.Read);
        }
    }

    private async Task RunAsync(string operation, StoreOperation kind, string stateName, GrainId grainId, Func<Task> run)
    {
        Interlocked.Increment(ref _pending);
        _health.OnStarted(kind);
        try
        {
            await run();
            _health.OnSuccess(kind);
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Ok);
        }
        catch (InconsistentStateException)
        {
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Conflict);
            throw;
        }
        catch (Exception cause)
        {
            throw await ClassifyAsync(cause, operation, kind, stateName, grainId);
        }
        finally
        {
            _health.OnEnded(kind);
            Interlocked.Decrement(ref _pending);
        }
    }

    private async Task<Exception> ClassifyAsync(Exception cause, string operation, StoreOperation kind, string stateName, GrainId grainId)
    {
        try
        {
            await (kind == StoreOperation.Commit ? _connection.ProbeWriteAsync() : _connection.ProbeReadAsync());
        }
        catch (Exception storeCause)
        {
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Failed);
            return new GrainStorageUnavailableException(_name, _health.OnFailure(kind, storeCause));
        }

        _metrics.OnOperation(_name, operation, GrainStorageMetrics.Refused);
        LogRefused(cause, operation, stateName, grainId, _name);
        return new GrainStateException(
            _name, $"The {operation} of state '{stateName}' of grain '{grainId}' in grain storage '{_name}' failed: {cause.Message.Split('\n')[0].TrimEnd('.', '\r')}.");
    }

    [LoggerMessage(LogLevel.Information, "Grain storage '{Provider}' opened {Location}.")]
    private partial void LogOpened(string provider, string location);

    [LoggerMessage(LogLevel.Debug, "Grain storage '{Provider}' cannot open {Location}.")]
    private partial void LogOpenFailed(Exception cause, string provider, string location);

    [LoggerMessage(LogLevel.Error, "The {Operation} of state '{StateName}' of grain '{GrainId}' in grain storage '{Provider}' failed, and the store works.")]
    private partial void LogRefused(Exception cause, string operation, string stateName, GrainId grainId, string provider);
}
