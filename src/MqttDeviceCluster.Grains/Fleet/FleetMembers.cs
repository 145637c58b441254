using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>
/// Keeps every silo informed: of the watches, so that each tells its own news; of silos that were lost, so that watchers hear of it; and of who listens to the devices. It
/// runs from the silo's start to its end.
/// </summary>
internal sealed partial class FleetMembers : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntakeInterval = FleetIntake.Validity / 3;
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(3);

    private readonly IFleetPeers _peers;
    private readonly IClusterMembershipService _membership;
    private readonly SiloAddress _local;
    private readonly FleetWatches _watches;
    private readonly FleetIntake _intake;
    private readonly SilenceSweep _silence;
    private readonly FleetCensus _census;
    private readonly FleetStores _stores;
    private readonly ActiveDevices _active;
    private readonly TimeProvider _time;
    private readonly ILogger<FleetMembers> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly HashSet<SiloAddress> _informed = [];
    private readonly HashSet<SiloAddress> _dead = [];
    private Task _runs = Task.CompletedTask;
    private bool _disposed;

    public FleetMembers(
        IFleetPeers peers,
        IClusterMembershipService membership,
        ILocalSiloDetails local,
        FleetWatches watches,
        FleetIntake intake,
        SilenceSweep silence,
        FleetCensus census,
        FleetStores stores,
        ActiveDevices active,
        TimeProvider time,
        ILogger<FleetMembers> logger)
    {
        _peers = peers;
        _membership = membership;
        _local = local.SiloAddress;
        _watches = watches;
        _intake = intake;
        _silence = silence;
        _census = census;
        _stores = stores;
        _active = active;
        _time = time;
        _logger = logger;
        watches.Relay = RelayAsync;
    }

    private IEnumerable<SiloAddress> ActiveSilos => SilosThatAre(static status => status == SiloStatus.Active);

    /// <summary>Begins or renews a watch on every silo.</summary>
    public async Task<WatchReceipt> WatchAsync(WatchRegistration registration)
    {
        // A watch that is known here has begun: a silo that does not know it may have had news for it, and must tell the gap.
        var isLate = _watches.Knows(registration.WatchId);
        var silos = ActiveSilos.ToArray();
        var sources = await Task.WhenAll(silos.Select(async silo => await TryAsync(silo, async peer => (WatchSource?)await peer.WatchAsync(registration, isLate))));
        return new(
            [.. sources.OfType<WatchSource>()],
            [.. silos.Where((_, i) => sources[i] is null).Select(static silo => silo.ToParsableString())],
            [.. SilosThatAre(static status => status is SiloStatus.ShuttingDown or SiloStatus.Stopping).Select(static silo => silo.ToParsableString())]);
    }

    /// <summary>Ends a watch on every silo. One that does not hear of it ends the watch with its lease.</summary>
    public Task UnwatchAsync(Guid watchId) => Task.WhenAll(ActiveSilos.Select(silo => TryAsync(silo, async peer =>
    {
        await peer.UnwatchAsync(watchId);
        return this;
    })));

    public void Participate(ISiloLifecycle lifecycle)
    {
        lifecycle.Subscribe(nameof(FleetMembers), ServiceLifecycleStage.Active, StartAsync, static _ => Task.CompletedTask);

        // The stage in which Orleans puts the activations away, and some time later closes the gateway: between the two is the last word.
        lifecycle.Subscribe($"{nameof(FleetMembers)}.Leave", ServiceLifecycleStage.BecomeActive - 1, static _ => Task.CompletedTask, StopAsync);
    }

    /// <remarks>The container calls it twice: this is also a lifecycle participant.</remarks>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }

        await _stopping.CancelAsync();
        await _runs.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private Task StartAsync(CancellationToken cancellationToken)
    {
        using (ExecutionContext.SuppressFlow())
        {
            _runs = Task.WhenAll(
                Task.Run(() => KeepUpAsync(FollowAsync), CancellationToken.None),
                Task.Run(() => KeepUpAsync(TickAsync), CancellationToken.None),
                Task.Run(() => KeepUpAsync(() => EachSecondAsync(_silence.RunAsync)), CancellationToken.None),
                Task.Run(() => KeepUpAsync(() => EachSecondAsync(_census.RunAsync)), CancellationToken.None),
                Task.Run(() => KeepUpAsync(() => EachSecondAsync(_ => _stores.RunAsync(_intake.IsHere))), CancellationToken.None));
        }

        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        while (!_active.IsEmpty && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (!cancellationToken.IsCancellationRequested)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(LeaveLimit);
            await _watches.LeaveAsync(limit.Token);
        }

        // Torn down in a hurry it says nothing: those who watch must take it for lost, since some devices may have had news.
        await _stopping.CancelAsync();
    }

    /// <summary>Runs a loop until it ends, with the silo. One that fails is logged and begins again: without it watches would silently lack a silo.</summary>
    private async Task KeepUpAsync(Func<Task> loop)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await loop();
                return;
            }
            catch (Exception exception) when (!_stopping.IsCancellationRequested)
            {
                LogLoopFailed(exception);
                await Task.Delay(Interval, _time, _stopping.Token);
            }
        }
    }

    private async Task FollowAsync()
    {
        await foreach (var snapshot in _membership.MembershipUpdates.WithCancellation(_stopping.Token))
        {
            foreach (var member in snapshot.Members.Values)
            {
                if (member.SiloAddress.Equals(_local))
                {
                    continue;
                }

                if (member.Status == SiloStatus.Dead && _dead.Add(member.SiloAddress))
                {
                    lock (_informed)
                    {
                        _informed.Remove(member.SiloAddress);
                    }

                    _intake.Note(member.SiloAddress, isThere: false, null);
                    _watches.NoteLost(member.SiloAddress.ToParsableString());
                }
            }

            await InformNewcomersAsync();
        }
    }

    /// <summary>Tells silos that were not there before of the watches, and hears of theirs: one of the two was first.</summary>
    private async Task InformNewcomersAsync()
    {
        await Task.WhenAll(ActiveSilos.Where(silo => !silo.Equals(_local)).Select(InformAsync));

        async Task InformAsync(SiloAddress silo)
        {
            lock (_informed)
            {
                if (!_informed.Add(silo))
                {
                    return;
                }
            }

            var known = await TryAsync(silo, async peer =>
            {
                foreach (var registration in _watches.Registrations)
                {
                    await peer.WatchAsync(registration, isLate: true);
                }

                return (object)await peer.GetWatchesAsync();
            });
            if (known is ImmutableArray<WatchRegistration> registrations)
            {
                foreach (var registration in registrations)
                {
                    _watches.Add(registration, isLate: true);
                }
            }
            else
            {
                lock (_informed)
                {
                    // Next time: once a second.
                    _informed.Remove(silo);
                }
            }
        }
    }

    private async Task TickAsync()
    {
        using PeriodicTimer timer = new(Interval, _time);
        DateTimeOffset? told = null;
        var wasHere = false;
        var toldAt = _time.GetTimestamp();
        while (await timer.WaitForNextTickAsync(_stopping.Token))
        {
            await _watches.RemoveExpiredAsync();
            await InformNewcomersAsync();
            var (isHere, since) = (_intake.IsHere, _intake.OwnListeningSince);
            if (isHere != wasHere || since != told || (isHere && _time.GetElapsedTime(toldAt) >= IntakeInterval))
            {
                (wasHere, told, toldAt) = (isHere, since, _time.GetTimestamp());
                await Task.WhenAll(ActiveSilos.Where(silo => !silo.Equals(_local)).Select(silo => TryAsync(silo, async peer =>
                {
                    await peer.NoteIntakeAsync(_local, isHere, since);
                    return this;
                })));
            }
        }
    }

    // Each beside the others: a fleet that falls silent all at once takes its time.
    private async Task EachSecondAsync(Func<CancellationToken, Task> run)
    {
        using PeriodicTimer timer = new(Interval, _time);
        while (await timer.WaitForNextTickAsync(_stopping.Token))
        {
            await run(_stopping.Token);
        }
    }

    private async Task<bool> RelayAsync(Guid watchId, WatchBatch batch)
    {
        foreach (var silo in ActiveSilos.Where(silo => !silo.Equals(_local)))
        {
            if (await TryAsync(silo, async peer => await peer.RelayAsync(watchId, batch) ? this : null) is not null)
            {
                return true;
            }
        }

        return false;
    }

    private IEnumerable<SiloAddress> SilosThatAre(Func<SiloStatus, bool> filter) =>
        _membership.CurrentSnapshot.Members.Values.Where(member => filter(member.Status)).Select(static member => member.SiloAddress);

    private async Task<T?> TryAsync<T>(SiloAddress silo, Func<IFleetService, Task<T?>> call)
        where T : class
    {
        try
        {
            return await call(_peers.Of(silo));
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansException or OperationCanceledException)
        {
            LogUnreachable(exception, silo);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Error, "The part of this silo that follows the cluster for those who watch the devices failed; it begins again.")]
    private partial void LogLoopFailed(Exception exception);

    [LoggerMessage(LogLevel.Debug, "Silo {Silo} did not answer.")]
    private partial void LogUnreachable(Exception exception, SiloAddress silo);
}
