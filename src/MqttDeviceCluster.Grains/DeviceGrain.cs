using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MqttDeviceCluster.Streams;
using Orleans.Storage;
using Orleans.Streams;
using Orleans.Streams.Core;

namespace MqttDeviceCluster;

/// <summary>One device: its stored pins, its command line, and those who wait for its updates.</summary>
/// <remarks>
/// <para>Deliveries are ordinary calls and commands interleave with everything, so an update reaches the grain while a command waits for it.
/// Hence every update is applied before the first await, and every decision is made on state that was read after the last one.</para>
/// <para>A command is confirmed as soon as its update is applied, and the update acknowledged only once it is stored: what a caller was told is in the store
/// or still with the broker, which sends it again. Watchers are told what is stored.</para>
/// </remarks>
[GrainType(TypeName), ImplicitStreamSubscription(DeviceStreams.Messages)]
internal sealed partial class DeviceGrain : Grain, IDeviceGrain, IDeviceUpkeepGrain, IStreamSubscriptionObserver, IAsyncBatchObserver<DeviceMessage>, IDisposable
{
    /// <summary>The grain type, part of the key of stored rows.</summary>
    public const string TypeName = "device";

    /// <summary>The name of the stored state. Some storages key rows by it and the grain's key alone, so no other grain may use it.</summary>
    public const string StateName = "MqttDeviceCluster.Device";

    private readonly IPersistentState<DeviceState> _state;
    private readonly DeviceOptions _options;
    private readonly SiloStopping _stopping;
    private readonly IDeviceFence? _fence;
    private readonly DeviceMetrics _metrics;
    private readonly DeviceFleet _fleet;
    private readonly DeviceNews _news;
    private readonly ActiveDevice _active = new();
    private readonly TimeProvider _time;
    private readonly ILogger<DeviceGrain> _logger;
    private readonly string _deviceId;
    private readonly TimeSpan _lastSeenWriteInterval;
    private readonly Waiters _waiters = new();
    private readonly CancellationTokenSource _deactivating = new();
    private readonly RecentDeliveries _deliveries = new();
    private readonly DeliverySpans? _spans;

    // The version of the state, counted up with every change that must be stored, and the highest one that is.
    private long _version;
    private long _storedVersion;
    private DateTimeOffset? _storedLastSeen;
    private int _waits;
    private bool _refusedPins;

    // Most devices of a fleet report and are not commanded.
    private CommandRunner? _commands;

    public DeviceGrain(
        [PersistentState(StateName)] IPersistentState<DeviceState> state,
        IOptions<DeviceOptions> options,
        SiloStopping stopping,
        DeviceMetrics metrics,
        DeviceFleet fleet,
        TimeProvider time,
        ILogger<DeviceGrain> logger,
        IDeviceFence? fence = null,
        IDeviceTracer? tracer = null)
    {
        _state = state;
        _options = options.Value;
        _stopping = stopping;
        _fence = fence;
        _metrics = metrics;
        _fleet = fleet;
        _time = time;
        _logger = logger;
        _deviceId = this.GetPrimaryKeyString();
        // After a crash the stored time is what the silence is counted from.
        _lastSeenWriteInterval = _options.OfflineAfterSilence / 4 is { } quarter && quarter < _options.LastSeenWriteInterval
            ? quarter
            : _options.LastSeenWriteInterval;
        _news = new(_deviceId, fleet.Hub, time);
        _spans = tracer is null ? null : new(tracer, _deviceId);
    }

    /// <summary>Ends every pending call. Thread-safe.</summary>
    public void Interrupt() => _ = _deactivating.CancelAsync();

    public Task<CommandResult> ConfigPinsAsync(ImmutableArray<ConfigPin> pins, CommandOptions? options, CancellationToken cancellationToken) =>
        RunAsync("config", () => CommandRequest.For(pins, options), cancellationToken);

    public Task<CommandResult> SetPinsAsync(ImmutableArray<SetPin> pins, CommandOptions? options, CancellationToken cancellationToken) =>
        RunAsync("set", () => CommandRequest.For(pins, options), cancellationToken);

    public Task<CommandResult> UpdateAsync(ImmutableArray<int> pins, CommandOptions? options, CancellationToken cancellationToken) =>
        RunAsync("update", () => CommandRequest.For(pins, options), cancellationToken);

    public Task<ImmutableArray<PinUpdate>> WaitForAsync(
        ImmutableArray<PinFilter> filters, WaitOptions? options, CancellationToken cancellationToken) =>
        CallSpan.FollowAsync(CallSpan.WaitFor, () => CommandSpan.FollowAsync(
            "wait",
            _deviceId,
            static (span, _) => span.SetTag(DeviceInstruments.OutcomeTag, DeviceMetrics.Matched),
            _metrics.MeasureAsync("wait", static _ => DeviceMetrics.Matched, () => WaitAsync(filters, options ?? new(), cancellationToken))));

    public Task<DeviceSnapshot> GetSnapshotAsync(CancellationToken cancellationToken)
    {
        DeviceId.ThrowIfInvalid(_deviceId, nameof(DeviceId));
        return CallSpan.FollowAsync(CallSpan.GetSnapshot, () =>
        {
            CommandSpan.Current?.SetTag(DeviceSpans.DeviceTag, _deviceId);
            return Task.FromResult(_state.State.ToSnapshot(_deviceId, _time.GetUtcNow()));
        });
    }

    public async Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) =>
        await handleFactory.Create<DeviceMessage>().ResumeAsync(this);

    /// <summary>Applies all updates of a delivery before the first await, and stores what they come to once: a backlog is one write.</summary>
    public Task OnNextAsync(IList<SequentialItem<DeviceMessage>> items)
    {
        if (!DeviceId.IsValid(_deviceId))
        {
            _metrics.Ignored("invalid_id", items.Count);
            LogInvalidId();
            return Task.CompletedTask;
        }

        return _forgetting.Task.IsCompleted ? ApplyAsync(items) : ApplyLaterAsync(items);
    }

    public Task OnErrorAsync(Exception ex)
    {
        LogDeliveryFailed(ex, _deviceId);
        return Task.CompletedTask;
    }

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        // Nothing more, and nothing that can fail: the device's queue waits for it.
        Assume(_state.State.Completed());
        _storedLastSeen = _state.State.LastSeen;
        _deliveries.Add(_state.State.Delivery);
        _fleet.Active.Add(_deviceId, _active);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await StoreLastSeenAsync(cancellationToken);
        _news.TellInterrupted();
        _fleet.Active.Remove(_deviceId, _active);
        if (_news.WasToldLately)
        {
            // The next activation, on another silo, must not be heard before this one.
            await _fleet.DrainAsync();
        }
    }

    public void Dispose()
    {
        // Also when the activation ended without a word.
        _fleet.Active.Remove(_deviceId, _active);
        _deactivating.Dispose();
    }

    private async Task StoreLastSeenAsync(CancellationToken cancellationToken)
    {
        if (_storedVersion == _version && _state.State.LastSeen == _storedLastSeen)
        {
            return;
        }

        try
        {
            await StoreAsync().WaitAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is InvalidOperationException or InconsistentStateException or OperationCanceledException)
        {
            // Nothing that was acknowledged is lost: at most the time the device was last seen is.
            LogLastSeenLost(exception, _deviceId);
        }
    }

    private Task<CommandResult> RunAsync(string kind, Func<CommandRequest> toRequest, CancellationToken cancellationToken) =>
        CallSpan.FollowAsync(CallSpan.NameOf(kind), () => CommandSpan.FollowAsync(kind, _deviceId, static (span, result) => CommandSpan.Confirm(span, result.Evidence), _metrics.MeasureAsync(
            kind,
            static result => DeviceMetrics.OutcomeOf(result.Evidence),
            async () =>
            {
                DeviceId.ThrowIfInvalid(_deviceId, nameof(DeviceId));
                var request = toRequest();
                using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, _deactivating.Token);
                return await Commands().RunAsync(request, interrupted.Token, cancellationToken);
            })));

    private CommandRunner Commands() => _commands ??=
        new(_deviceId, _options.MaxWaitingCommands, _waiters, PublishAsync, () => _state.State.ToPresence(), _stopping, _fence, _time, _metrics, _logger);

    private async Task<ImmutableArray<PinUpdate>> WaitAsync(
        ImmutableArray<PinFilter> filters, WaitOptions options, CancellationToken cancellationToken)
    {
        DeviceId.ThrowIfInvalid(_deviceId, nameof(DeviceId));
        CommandRules.Validate(filters);
        CommandRules.Validate(options);
        cancellationToken.ThrowIfCancellationRequested();
        if (_waits >= _options.MaxConcurrentWaits)
        {
            throw new DeviceBusyException(_deviceId, _waits);
        }

        var started = _time.GetTimestamp();
        using CancellationTokenSource timeout = new(options.Timeout, _time);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(
            timeout.Token, _stopping.Token, _deactivating.Token, cancellationToken);
        FilterMatch match = new(filters, options.InOneUpdate);
        var waiter = _waiters.Add(match);
        _waits++;
        try
        {
            if (options.IncludeCurrent)
            {
                match.ObserveCurrent(_state.State);
                waiter.CompleteIfSatisfied();
            }

            await waiter.Done.WaitAsync(giveUp.Token);
            return match.Updates;
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // A timer may fire some milliseconds early; the caller is told the time that he gave.
            var waited = _time.GetElapsedTime(started);
            throw timeout.IsCancellationRequested
                ? new DeviceTimeoutException(_deviceId, waited > options.Timeout ? waited : options.Timeout, match.MissingPins, published: true)
                : new DeviceInterruptedException(_deviceId, CommandRunner.InterruptedReason, published: false);
        }
        finally
        {
            _waits--;
            _waiters.Remove(waiter);
        }
    }

    private async Task ApplyLaterAsync(IList<SequentialItem<DeviceMessage>> items)
    {
        await NotForgettingAsync();
        await ApplyAsync(items);
    }

    private Task ApplyAsync(IList<SequentialItem<DeviceMessage>> items)
    {
        var delivery = RecentDeliveries.MarkOf(items);
        if (_deliveries.IsRepeated(delivery))
        {
            // It was applied, and its call failed later: only its write may be missing.
            return _storedVersion < _version ? StoreAppliedAsync() : Task.CompletedTask;
        }

        var applied = _deliveries.FindApplied(items);
        var isFresh = applied is null && _storedVersion >= _version;
        for (var i = 0; i < items.Count; i++)
        {
            // Applied again it would confirm what was asked for since, and be told as a change.
            if (applied is null || !applied[i])
            {
                Apply(items[i].Item);
            }
        }

        _deliveries.AddMessages(items, isFresh);
        _deliveries.Add(delivery);
        _news.Tell(_storedVersion);

        // Also for updates that changed nothing: an earlier one may have failed to be stored, and this may be its redelivery.
        if (_storedVersion >= _version)
        {
            _spans?.End();
            return Task.CompletedTask;
        }

        // The next activation must know it as well: a silo that stops may store it and not live to say so.
        Assume(_state.State with { Delivery = delivery });
        return StoreAppliedAsync();
    }

    private Task StoreAppliedAsync() => _spans is null ? StoreAsync() : _spans.StoreAsync(StoreAsync);

    private void Apply(DeviceMessage message)
    {
        switch (message)
        {
            case DeviceUpdate update:
                Apply(update);
                break;
            case DeviceStatus status:
                Apply(status);
                break;
            default:
                _metrics.Ignored("unknown_message");
                LogUnknownMessage(_deviceId, message.GetType().Name);
                break;
        }
    }

    private void Apply(DeviceStatus status)
    {
        var before = _state.State;
        if (PresenceRules.IsOutdated(before, status))
        {
            _metrics.Ignored("old_will");
            LogOldWill(_deviceId, status.Boot, before.RunningBoot);
            return;
        }

        var after = DeviceStateUpdater.Apply(before, status);
        Assume(after);
        var changed = (after with { LastSeen = before.LastSeen }) != before;
        if (changed || IsLastSeenDue(after.LastSeen))
        {
            _version++;
        }

        _metrics.Applied(changed);
        _news.Note(status, before, after, default, _version);
        _spans?.Begin(status, null);
    }

    /// <summary>Applies an update to the state and shows it to those who wait. Never awaits: deliveries may overlap.</summary>
    private void Apply(DeviceUpdate update)
    {
        var before = _state.State;
        var applied = DeviceStateUpdater.Apply(before, update, _options.MaxPins);
        if (applied.Late)
        {
            _metrics.Ignored("late");
            LogLate(_deviceId, update.Boot, update.Seq);
            return;
        }

        if (applied.RefusedPins > 0)
        {
            _metrics.Ignored("too_many_pins", applied.RefusedPins);
            LogRefusedPins(applied.RefusedPins);
        }

        Assume(applied.State);
        if (applied.Changed || IsLastSeenDue(applied.State.LastSeen))
        {
            _version++;
        }

        _metrics.Applied(applied.Changed);
        _news.Note(update, before, applied.State, applied.Observed, _version);
        var traced = _spans is null ? null : _commands?.Traced;
        var evidence = traced?.EvidenceSeen;
        if (!update.Retained)
        {
            _waiters.Observe(applied.Observed);
        }

        _spans?.Begin(update, traced?.EvidenceSeen > evidence ? traced : null);
    }

    private bool IsLastSeenDue(DateTimeOffset? lastSeen) =>
        lastSeen is not null && (_storedLastSeen is null || lastSeen - _storedLastSeen >= _lastSeenWriteInterval);

    /// <summary>Stores the state. Calls that overlap are joined into one write by Orleans, as long as they pass no token.</summary>
    private async Task StoreAsync()
    {
        var version = _version;
        var lastSeen = _state.State.LastSeen;
        try
        {
            await _state.WriteStateAsync();
        }
        catch (Exception exception) when (exception is not InconsistentStateException)
        {
            // Orleans must see that one, to end this activation. Any other may have no serializer where the delivery came from.
            LogStoreFailed(exception, _deviceId);
            throw new InvalidOperationException($"The state of device '{_deviceId}' could not be stored; the silo's log says why.");
        }

        _storedVersion = Math.Max(_storedVersion, version);
        _storedLastSeen = lastSeen > _storedLastSeen || _storedLastSeen is null ? lastSeen : _storedLastSeen;
        _news.Tell(_storedVersion);
    }

    /// <summary>Replaces the state, also where others read it.</summary>
    private void Assume(DeviceState state)
    {
        _metrics.PresenceChanged(_state.State, state);
        _state.State = state;
        _active.State = state;
    }

    private Task PublishAsync(DeviceCommand command) => command switch
    {
        ConfigPinsCommand config => Stream<ConfigPinsCommand>(DeviceStreams.ConfigPins).OnNextAsync(config),
        SetPinsCommand set => Stream<SetPinsCommand>(DeviceStreams.SetPins).OnNextAsync(set),
        UpdateCommand update => Stream<UpdateCommand>(DeviceStreams.Update).OnNextAsync(update),
        _ => throw new InvalidOperationException($"There is no stream for {command.GetType().Name}."),
    };

    private IAsyncStream<T> Stream<T>(string streamNamespace) =>
        this.GetStreamProvider(DeviceStreams.ProviderName).GetStream<T>(StreamId.Create(streamNamespace, _deviceId));
}
