using System.Runtime.CompilerServices;
using Orleans.Storage;

namespace MqttDeviceCluster;

/// <summary>What concerns the device as a member of the fleet: being watched, forgotten and missed.</summary>
internal sealed partial class DeviceGrain
{
    private static readonly TaskCompletionSource NotForgetting = Done();

    private int _watches;
    private TaskCompletionSource _forgetting = NotForgetting;

    public async IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter? filter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        DeviceId.ThrowIfInvalid(_deviceId, nameof(DeviceId));
        if (_watches >= _options.MaxConcurrentWatches)
        {
            throw new DeviceBusyException(_deviceId, _watches);
        }

        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, _deactivating.Token, cancellationToken);
        _watches++;
        var watch = _fleet.Watch(_deviceId, filter, after: _version);
        try
        {
            yield return new DeviceSnapshotEvent(_state.State.ToSnapshot(_deviceId, _time.GetUtcNow()));
            while (true)
            {
                await WaitForNewsAsync(watch.Subscription, giveUp.Token, cancellationToken);
                while (watch.TryTake(out var missed) is { } events)
                {
                    if (missed > 0)
                    {
                        // What is in the buffer is older than the snapshot that fills the gap. It is taken here: the watcher may ask for it later, and would then be told again
                        // what happened in between.
                        watch.Restart(after: _version);
                        DeviceSnapshotEvent snapshot = new(_state.State.ToSnapshot(_deviceId, _time.GetUtcNow()));
                        yield return new GapEvent(_deviceId, snapshot.At, GapReason.SlowWatcher, missed);
                        yield return snapshot;
                        break;
                    }

                    foreach (var value in events)
                    {
                        yield return value;
                    }
                }
            }
        }
        finally
        {
            _watches--;
            watch.Dispose();
        }
    }

    public Task<bool> ForgetAsync(CancellationToken cancellationToken) => CallSpan.FollowAsync(CallSpan.Forget, ForgetItAsync);

    private async Task<bool> ForgetItAsync()
    {
        CommandSpan.Current?.SetTag(DeviceSpans.DeviceTag, _deviceId);
        DeviceId.ThrowIfInvalid(_deviceId, nameof(DeviceId));
        if (_commands is { IsIdle: false })
        {
            throw new DeviceBusyException(_deviceId, _commands.Pending);
        }

        // Updates that arrive meanwhile wait: what they say must neither be cleared nor be stored with what is forgotten.
        await NotForgettingAsync();
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _forgetting = done;
        try
        {
            var wasKnown = _state.RecordExists || _state.State.FirstSeen is not null;
            if (wasKnown)
            {
                await ClearAsync();
                _news.TellForgotten();
            }

            return wasKnown;
        }
        finally
        {
            done.SetResult();
        }
    }

    public async Task NoteSilenceAsync()
    {
        await NotForgettingAsync();
        if (PresenceRules.SilentAt(_state.State, _options.OfflineAfterSilence, _fleet.ListeningSince) is not { } due
            || due > _time.GetUtcNow() - _fleet.OutageDetectionTime)
        {
            return;
        }

        var before = _state.State;
        Assume(PresenceRules.Silent(before, due));
        _version++;
        _news.NotePresence(before, _state.State, due, _version);
        await StoreAsync();
    }

    /// <summary>Waits while the device is being forgotten. Several may wait, and the first to go on may begin anew.</summary>
    private async Task NotForgettingAsync()
    {
        while (!_forgetting.Task.IsCompleted)
        {
            await _forgetting.Task;
        }
    }

    private async Task ClearAsync()
    {
        try
        {
            await _state.ClearStateAsync();
        }
        catch (Exception exception) when (exception is not InconsistentStateException)
        {
            LogClearFailed(exception, _deviceId);
            throw new FleetUnavailableException($"Device '{_deviceId}' could not be forgotten: the store failed, and the silo's log says why.");
        }

        Assume(new());
        _storedVersion = _version;
        _storedLastSeen = null;
    }

    private async Task WaitForNewsAsync(WatchSubscription subscription, CancellationToken giveUp, CancellationToken cancellationToken)
    {
        try
        {
            await subscription.WaitAsync(giveUp);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DeviceInterruptedException(_deviceId, CommandRunner.InterruptedReason, published: false);
        }
    }

    private static TaskCompletionSource Done()
    {
        TaskCompletionSource done = new();
        done.SetResult();
        return done;
    }
}
