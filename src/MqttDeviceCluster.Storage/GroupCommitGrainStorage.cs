using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Storage.GroupCommit;
using MqttDeviceCluster.Storage.Hosting;
using Orleans.Configuration;
using Orleans.Serialization.Serializers;
using Orleans.Storage;

namespace MqttDeviceCluster.Storage;

/// <summary>
/// Grain storage over any <see cref="IGrainStateStore"/>. A write completes when it is durable; a read sees every write that completed. It is
/// opened before the silo joins its cluster and drained after the last grain is gone.
/// </summary>
internal sealed partial class GroupCommitGrainStorage
    : IGrainStorage, IGrainStorageStatus, IGrainStateScanner, ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable, IDisposable
{
    private readonly string _name;
    private readonly string _serviceId;
    private readonly IGrainStateStore _store;
    private readonly IGrainStorageSerializer _serializer;
    private readonly IActivatorProvider _activators;
    private readonly GrainStorageMetrics _metrics;
    private readonly DatabaseStart _start;
    private readonly ILogger _logger;
    private readonly GrainStorageHealth _health;
    private readonly GrainStatePages _pages;
    private readonly GroupCommitter _committer;
    private readonly Lock _stopLock = new();
    private Task? _stopped;

    public GroupCommitGrainStorage(
        string name,
        IGrainStateStore store,
        IGrainStorageSerializer serializer,
        GroupCommitLimits limits,
        IOptions<ClusterOptions> clusterOptions,
        IActivatorProvider activators,
        GrainStorageMetrics metrics,
        DatabaseStart start,
        TimeProvider timeProvider,
        ILogger<GrainStorageHealth> logger)
    {
        _name = name;
        _serviceId = clusterOptions.Value.ServiceId;
        _store = store;
        _serializer = serializer;
        _activators = activators;
        _metrics = metrics;
        _start = start;
        _logger = logger;
        _health = new GrainStorageHealth(name, store, metrics, logger, timeProvider);
        _pages = new GrainStatePages(name, serializer, activators, metrics, logger);
        _committer = new GroupCommitter(name, store, _health, metrics, timeProvider, limits);
    }

    public bool IsFailing => _health.Problem is not null;

    public string? Problem => _health.Problem;

    public int PendingOperations => _committer.Pending;

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        ReadStateAsync(stateName, grainId, grainState, CancellationToken.None);

    public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var key = GrainStateKey.Create(_serviceId, grainId, stateName);
        var record = await ReadAsync("read", store => store.ReadAsync(key, cancellationToken), cancellationToken);
        if (record is null)
        {
            Reset(grainState);
        }
        else
        {
            grainState.State = Deserialize<T>(record, stateName, grainId);
            grainState.ETag = record.ETag;
            grainState.RecordExists = true;
        }

        _metrics.OnOperation(_name, "read", GrainStorageMetrics.Ok);
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        WriteStateAsync(stateName, grainId, grainState, CancellationToken.None);

    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();

        // Before the first await, on the grain's own thread: what the grain changes later is not in this write, wholly and not by half.
        var payload = Serialize(grainState.State, stateName, grainId);
        var key = GrainStateKey.Create(_serviceId, grainId, stateName);
        var etag = Guid.NewGuid().ToString("N");
        await CommitAsync(new GrainStateChange(key, grainState.ETag, etag, payload), "write", grainId, cancellationToken);
        grainState.ETag = etag;
        grainState.RecordExists = true;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        ClearStateAsync(stateName, grainId, grainState, CancellationToken.None);

    public async Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var key = GrainStateKey.Create(_serviceId, grainId, stateName);
        await CommitAsync(new GrainStateChange(key, grainState.ETag, NewETag: null, default), "clear", grainId, cancellationToken);
        Reset(grainState);
    }

    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        $"{nameof(GroupCommitGrainStorage)}-{_name}", ServiceLifecycleStage.RuntimeStorageServices, OpenAsync, StopAsync);

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        await _start.OpenAsync(
            _store.OpenAsync,
            _store.IsAway,
            cause =>
            {
                // One sentence for whoever starts the silo; no stack of a database driver.
                LogOpenFailed(cause, _name, _store.Location);
                return new GrainStorageUnavailableException(_name, $"Grain storage '{_name}' cannot open {_store.Location}: {_store.Explain(cause)}.");
            },
            cancellationToken);
        LogOpened(_name, _store.Location);
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_stopLock)
        {
            _stopped ??= StopCoreAsync();
        }

        return _stopped.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None);

    // A container that is disposed synchronously asks for this one; nothing in the drain needs the caller's thread.
    public void Dispose() => StopAsync(CancellationToken.None).GetAwaiter().GetResult();

    private async Task StopCoreAsync()
    {
        await _committer.StopAsync().ConfigureAwait(false);
        await _health.DisposeAsync().ConfigureAwait(false);
        await _store.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<TResult> ReadAsync<TResult>(string operation, Func<IGrainStateStore, Task<TResult>> read, CancellationToken cancellationToken)
    {
        TResult result;
        try
        {
            ThrowIfStopped();
            _health.OnStarted(StoreOperation.Read);
            try
            {
                result = await read(_store);
            }
            finally
            {
                _health.OnEnded(StoreOperation.Read);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Cancelled);
            throw;
        }
        catch (Exception cause) when (cause is not GrainStorageUnavailableException)
        {
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Failed);
            throw new GrainStorageUnavailableException(_name, _health.OnFailure(StoreOperation.Read, cause));
        }

        _health.OnSuccess(StoreOperation.Read);
        return result;
    }

    private async Task CommitAsync(GrainStateChange change, string operation, GrainId grainId, CancellationToken cancellationToken)
    {
        GrainStateChangeResult result;
        try
        {
            result = await _committer.CommitAsync(change, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Cancelled);
            throw;
        }
        catch (GrainStorageUnavailableException)
        {
            _metrics.OnOperation(_name, operation, GrainStorageMetrics.Failed);
            throw;
        }

        switch (result.Outcome)
        {
            case GrainStateChangeOutcome.Conflict:
                _metrics.OnOperation(_name, operation, GrainStorageMetrics.Conflict);
                throw new InconsistentStateException(
                    $"The {operation} of state '{change.Key.StateName}' of grain '{grainId}' in grain storage '{_name}' conflicts: stored is "
                    + $"{Quote(result.StoredETag)}, but the activation holds {Quote(change.ExpectedETag)}. Nothing was changed.",
                    result.StoredETag,
                    change.ExpectedETag);
            case GrainStateChangeOutcome.Refused:
                _metrics.OnOperation(_name, operation, GrainStorageMetrics.Refused);
                throw new GrainStateException(
                    _name, $"The {operation} of state '{change.Key.StateName}' of grain '{grainId}' in grain storage '{_name}' was refused: {result.Reason}.");
            default:
                _metrics.OnOperation(_name, operation, GrainStorageMetrics.Ok);
                break;
        }

        static string Quote(string? etag) => etag is null ? "no record" : $"ETag {etag}";
    }

    private ReadOnlyMemory<byte> Serialize<T>(T? state, string stateName, GrainId grainId)
    {
        try
        {
            return _serializer.Serialize(state).ToMemory();
        }
        catch (Exception cause)
        {
            _metrics.OnOperation(_name, "write", GrainStorageMetrics.Refused);
            LogUnserializable(cause, "serialized", stateName, grainId, _name);
            throw new GrainStateException(
                _name, $"State '{stateName}' of grain '{grainId}' cannot be serialized for grain storage '{_name}': {cause.Message}");
        }
    }

    private T Deserialize<T>(StoredGrainState record, string stateName, GrainId grainId)
    {
        try
        {
            return _serializer.Deserialize<T>(new BinaryData(record.Payload)) ?? _activators.GetActivator<T>().Create();
        }
        catch (Exception cause)
        {
            _metrics.OnOperation(_name, "read", GrainStorageMetrics.Refused);
            LogUnserializable(cause, "deserialized", stateName, grainId, _name);
            throw new GrainStateException(
                _name, $"State '{stateName}' of grain '{grainId}' in grain storage '{_name}' cannot be deserialized: {cause.Message}");
        }
    }

    private void Reset<T>(IGrainState<T> grainState)
    {
        grainState.State = _activators.GetActivator<T>().Create();
        grainState.ETag = null;
        grainState.RecordExists = false;
    }

    private void ThrowIfStopped()
    {
        if (Volatile.Read(ref _stopped) is not null)
        {
            throw new GrainStorageUnavailableException(_name, $"Grain storage '{_name}' is stopped.");
        }
    }

    [LoggerMessage(LogLevel.Information, "Grain storage '{Provider}' opened {Location}.")]
    private partial void LogOpened(string provider, string location);

    [LoggerMessage(LogLevel.Debug, "Grain storage '{Provider}' cannot open {Location}.")]
    private partial void LogOpenFailed(Exception cause, string provider, string location);

    [LoggerMessage(LogLevel.Error, "State '{StateName}' of grain '{GrainId}' cannot be {Verb} for grain storage '{Provider}'.")]
    private partial void LogUnserializable(Exception cause, string verb, string stateName, GrainId grainId, string provider);
}
