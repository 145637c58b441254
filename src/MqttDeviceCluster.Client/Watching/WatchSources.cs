using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>
/// Puts together what the silos send for one watch: drops what comes twice, notices what is missing, and knows when a silo is gone. Used under its owner's lock.
/// </summary>
/// <param name="add">Takes the events.</param>
/// <param name="time">The clock.</param>
internal sealed class WatchSources(Action<DeviceEvent> add, TimeProvider time)
{
    private readonly Dictionary<string, Source> _sources = [];
    private readonly HashSet<string> _gone = [];

    /// <summary>Takes a batch of one silo.</summary>
    public void Take(WatchBatch batch)
    {
        foreach (var silo in batch.LostSilos)
        {
            Lose(silo);
        }

        if (_gone.Contains(batch.Source.Silo))
        {
            // Sent before it died, and late: its gap has been told.
            return;
        }

        var isNew = !_sources.ContainsKey(batch.Source.Silo);
        var source = Meet(batch.Source);
        if (isNew && batch.First > 0)
        {
            // A silo that was taken for lost, and is not.
            add(new GapEvent(null, time.GetUtcNow(), GapReason.Reconnected));
            source.Expected = batch.First;
        }
        else if (batch.First > source.Expected)
        {
            add(new GapEvent(null, time.GetUtcNow(), GapReason.SlowWatcher, batch.First - source.Expected));
        }

        // A batch whose answer was lost is sent again, whole.
        for (var i = (int)Math.Clamp(source.Expected - batch.First, 0, batch.Events.Length); i < batch.Events.Length; i++)
        {
            add(batch.Events[i]);
        }

        source.Expected = Math.Max(source.Expected, batch.First + batch.Events.Length);
        if (batch.Leaving)
        {
            _sources.Remove(batch.Source.Silo);
            _gone.Add(batch.Source.Silo);
        }
    }

    /// <summary>Takes what a registration found: every silo that is a member, and no other, has a part in the watch.</summary>
    /// <remarks>
    /// The silo that answered may not have heard of one that has just joined: only one that two answers in a row lack is lost.
    /// </remarks>
    public void Take(WatchReceipt receipt)
    {
        foreach (var source in receipt.Sources)
        {
            if (!_gone.Contains(source.Silo))
            {
                Meet(source);
            }
        }

        var members = receipt.Sources.Select(static source => source.Silo).Concat(receipt.Unreachable).Concat(receipt.Leaving).ToHashSet();
        foreach (var (silo, source) in _sources.ToArray())
        {
            source.Misses = members.Contains(silo) ? 0 : source.Misses + 1;
            if (source.Misses > 1)
            {
                Drop(silo);
            }
        }
    }

    private Source Meet(WatchSource part)
    {
        if (!_sources.TryGetValue(part.Silo, out var source))
        {
            return _sources[part.Silo] = new(part.SubscriptionId);
        }

        if (source.SubscriptionId != part.SubscriptionId)
        {
            // The silo had given the watch up, and begun anew.
            add(new GapEvent(null, time.GetUtcNow(), GapReason.Reconnected));
            source = _sources[part.Silo] = new(part.SubscriptionId);
        }

        return source;
    }

    private void Lose(string silo)
    {
        _gone.Add(silo);
        Drop(silo);
    }

    private void Drop(string silo)
    {
        if (_sources.Remove(silo))
        {
            add(new GapEvent(null, time.GetUtcNow(), GapReason.SiloLost));
        }
    }

    private sealed class Source(Guid subscriptionId)
    {
        public Guid SubscriptionId => subscriptionId;

        /// <summary>Gets or sets the number of the next event.</summary>
        public long Expected { get; set; }

        /// <summary>Gets or sets how many answers in a row lacked the silo.</summary>
        public int Misses { get; set; }
    }
}
