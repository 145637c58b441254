using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>
/// Where the devices of this silo tell their news, and the watches that hear them. While nobody watches, telling costs three reads of memory.
/// </summary>
internal sealed class FleetHub
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, ImmutableArray<WatchSubscription>> _byDevice = new();
    private WatchSubscription[] _wide = [];
    private int _watchedDevices;
    private bool _hasNews;
    private long _dropped;

    /// <summary>Gets how many watches are told the news of this silo's devices.</summary>
    public int WatchCount => Volatile.Read(ref _wide).Length + _byDevice.Sum(static watched => watched.Value.Length);

    /// <summary>Gets how many events were not kept for a watch because its buffer was full.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Gets whether any device of this silo ever had news: a watch that is added now may have missed some, whoever else heard them.</summary>
    public bool HasNews => Volatile.Read(ref _hasNews);

    /// <summary>Gets whether anything is watched at all.</summary>
    public bool IsAnythingWatched => Volatile.Read(ref _wide).Length > 0 || Volatile.Read(ref _watchedDevices) > 0;

    /// <summary>Returns whether anybody may want to hear of the device's news.</summary>
    public bool IsWatched(string deviceId)
    {
        if (!_hasNews)
        {
            // Before the watches are read, and seen before: whoever adds one and then looks here either hears this news or knows that it was missed.
            Volatile.Write(ref _hasNews, true);
            Interlocked.MemoryBarrier();
        }

        return Volatile.Read(ref _wide).Length > 0 || (Volatile.Read(ref _watchedDevices) > 0 && _byDevice.ContainsKey(deviceId));
    }

    /// <summary>Tells an event of a device.</summary>
    /// <param name="value">The event.</param>
    /// <param name="version">The version of the device's state, counted by its activation.</param>
    public void Tell(DeviceEvent value, long version = long.MaxValue)
    {
        foreach (var subscription in Volatile.Read(ref _wide))
        {
            Offer(subscription, value, version);
        }

        if (Volatile.Read(ref _watchedDevices) > 0 && value.DeviceId is { } deviceId && _byDevice.TryGetValue(deviceId, out var subscriptions))
        {
            foreach (var subscription in subscriptions)
            {
                Offer(subscription, value, version);
            }
        }
    }

    public void Add(WatchSubscription subscription)
    {
        lock (_lock)
        {
            if (subscription.Options.DeviceId is { } deviceId)
            {
                _byDevice[deviceId] = _byDevice.TryGetValue(deviceId, out var others) ? others.Add(subscription) : [subscription];
                Volatile.Write(ref _watchedDevices, _byDevice.Count);
            }
            else
            {
                Volatile.Write(ref _wide, [.. _wide, subscription]);
            }
        }
    }

    public void Remove(WatchSubscription subscription)
    {
        lock (_lock)
        {
            if (subscription.Options.DeviceId is not { } deviceId)
            {
                Volatile.Write(ref _wide, [.. _wide.Where(other => other != subscription)]);
                return;
            }

            if (_byDevice.TryGetValue(deviceId, out var others))
            {
                others = others.Remove(subscription);
                if (others.IsEmpty)
                {
                    _byDevice.TryRemove(deviceId, out _);
                }
                else
                {
                    _byDevice[deviceId] = others;
                }

                Volatile.Write(ref _watchedDevices, _byDevice.Count);
            }
        }
    }

    private void Offer(WatchSubscription subscription, DeviceEvent value, long version)
    {
        if (!subscription.TryOffer(value, version))
        {
            Interlocked.Increment(ref _dropped);
        }
    }
}
