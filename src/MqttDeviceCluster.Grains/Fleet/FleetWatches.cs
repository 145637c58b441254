using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>The watches that this silo tells its news to. Thread-safe.</summary>
internal sealed class FleetWatches(FleetHub hub, ILocalSiloDetails silo, SiloStopping stopping, TimeProvider time, ILogger<FleetWatches> logger)
{
    /// <summary>How long a device that ends here waits for its last news to be taken, so that its next silo's news cannot come before it.</summary>
    private static readonly TimeSpan HandOverLimit = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<Guid, WatchPump> _pumps = new();

    /// <summary>Gets or sets how a batch goes by way of another silo. Set once, before the first watch; without it, it does not.</summary>
    public Func<Guid, WatchBatch, Task<bool>> Relay { get; set; } = static (_, _) => Task.FromResult(false);

    /// <summary>Gets the watches as another silo may begin them.</summary>
    public ImmutableArray<WatchRegistration> Registrations => [.. _pumps.Values.Select(static pump => pump.Registration with { IsRenewal = false })];

    public bool Knows(Guid watchId) => _pumps.ContainsKey(watchId);

    /// <summary>Begins a watch, or renews it.</summary>
    /// <param name="registration">The watch.</param>
    /// <param name="isLate">Whether the watch began elsewhere before: what this silo told until now, the watcher has missed.</param>
    public WatchSource Add(WatchRegistration registration, bool isLate)
    {
        lock (_lock)
        {
            if (_pumps.TryGetValue(registration.WatchId, out var known))
            {
                known.Renew();
                return known.Source;
            }

            WatchSubscription subscription = new(registration.Options);
            hub.Add(subscription);
            if (registration.IsRenewal)
            {
                // The watcher believes that it is watched for, and here nobody knew: what it relied on is gone.
                subscription.TryOffer(new GapEvent(null, time.GetUtcNow(), GapReason.Reconnected), long.MaxValue);
            }
            else if (isLate && hub.HasNews)
            {
                // Asked after it was added: what came in between it has heard, and what came before it is known to have missed.
                subscription.TryOffer(new GapEvent(null, time.GetUtcNow(), GapReason.SiloJoined), long.MaxValue);
            }

            WatchPump pump = new(registration, subscription, silo.SiloAddress.ToParsableString(), (watchId, batch) => Relay(watchId, batch), time, logger, stopping.Token);
            _pumps[registration.WatchId] = pump;
            return pump.Source;
        }
    }

    /// <summary>Sends a batch of another silo, which cannot reach the watcher itself. Returns whether the watch is known here.</summary>
    public async Task<bool> SendForAsync(Guid watchId, WatchBatch batch)
    {
        if (!_pumps.TryGetValue(watchId, out var pump))
        {
            return false;
        }

        await pump.SendForAsync(batch);
        return true;
    }

    public async Task RemoveAsync(Guid watchId)
    {
        WatchPump? pump;
        lock (_lock)
        {
            if (!_pumps.TryRemove(watchId, out pump))
            {
                return;
            }

            hub.Remove(pump.Subscription);
        }

        await pump.DisposeAsync();
    }

    /// <summary>Ends the watches whose watchers are gone.</summary>
    public async Task RemoveExpiredAsync()
    {
        foreach (var pump in _pumps.Values.Where(static pump => pump.IsExpired))
        {
            await RemoveAsync(pump.WatchId);
        }
    }

    public void NoteLost(string siloName)
    {
        foreach (var pump in _pumps.Values)
        {
            pump.Subscription.NoteLost(siloName);
        }
    }

    /// <summary>Waits, not for long, until every watch has what it was told so far.</summary>
    public async Task DrainAsync()
    {
        if (_pumps.IsEmpty)
        {
            return;
        }

        var started = time.GetTimestamp();
        var ends = _pumps.Values.Select(static pump => (pump.Subscription, pump.Subscription.Next)).ToArray();
        while (ends.Any(static end => end.Subscription.Delivered < end.Next) && time.GetElapsedTime(started) < HandOverLimit)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), time);
        }
    }

    /// <summary>Tells all watches that this silo leaves, and ends them.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        var pumps = _pumps.Values.ToArray();
        await Task.WhenAll(pumps.Select(pump => pump.LeaveAsync(cancellationToken))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var pump in pumps)
        {
            await RemoveAsync(pump.WatchId);
        }
    }
}
