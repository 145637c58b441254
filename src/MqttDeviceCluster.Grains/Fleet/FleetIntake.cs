using System.Collections.Concurrent;

namespace MqttDeviceCluster;

/// <summary>
/// Since when the cluster hears what devices send, as this silo knows it: from its own <see cref="IDeviceIntake"/> and from what the other silos tell. Thread-safe.
/// </summary>
/// <remarks>What is not told again for <see cref="Validity"/> is forgotten: then nobody is known to listen, and no device's silence counts.</remarks>
internal sealed class FleetIntake
{
    public static readonly TimeSpan Validity = TimeSpan.FromSeconds(15);

    private readonly IDeviceIntake? _own;
    private readonly TimeProvider _time;
    private readonly DateTimeOffset _started;
    private readonly ConcurrentDictionary<SiloAddress, Report> _others = new();

    public FleetIntake(TimeProvider time, IDeviceIntake? own = null)
    {
        _own = own;
        _time = time;
        _started = time.GetUtcNow();
    }

    /// <summary>Gets since when somebody listens without a break, or <see langword="null"/> while nobody is known to.</summary>
    public DateTimeOffset? ListeningSince
    {
        get
        {
            if (_own is null)
            {
                return _started;
            }

            // With several listeners each hears a part: the last one to come back decides.
            var anyone = _own.IsHere;
            var since = anyone ? _own.ListeningSince ?? DateTimeOffset.MaxValue : DateTimeOffset.MinValue;
            foreach (var (_, report) in _others)
            {
                if (_time.GetElapsedTime(report.ReceivedAt) <= Validity)
                {
                    anyone = true;
                    since = report.Since is { } other ? (other > since ? other : since) : DateTimeOffset.MaxValue;
                }
            }

            return anyone && since != DateTimeOffset.MaxValue ? since : null;
        }
    }

    /// <inheritdoc cref="IDeviceIntake.OutageDetectionTime"/>
    public TimeSpan OutageDetectionTime => _own?.OutageDetectionTime ?? TimeSpan.Zero;

    /// <summary>Gets whether this silo has something to tell the others.</summary>
    public bool IsHere => _own?.IsHere == true;

    /// <summary>Gets what it has to tell.</summary>
    public DateTimeOffset? OwnListeningSince => _own?.ListeningSince;

    public void Note(SiloAddress silo, bool isThere, DateTimeOffset? since)
    {
        if (isThere)
        {
            _others[silo] = new(since, _time.GetTimestamp());
        }
        else
        {
            _others.TryRemove(silo, out _);
        }
    }

    private sealed record Report(DateTimeOffset? Since, long ReceivedAt);
}
