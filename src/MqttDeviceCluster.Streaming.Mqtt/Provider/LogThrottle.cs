namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// Lets one log message through per key and minute, and ten in all, and counts the others: what goes wrong with a whole fleet is told by ten of it. Thread-safe, and bounded whatever
/// keys a stranger invents.
/// </summary>
internal sealed class LogThrottle(TimeProvider timeProvider)
{
    private const int MaxKeys = 10_000;
    private const int MaxKeyLength = 128;
    private const int MaxPerInterval = 10;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = [];
    private long _intervalSince;
    private int _entered;
    private long _othersHeldBack;

    /// <summary>Returns whether to log now, how many of the key were held back since its last time, and how many of keys that had no turn at all.</summary>
    public bool TryEnter(string key, out long heldBack, out long othersHeldBack)
    {
        (heldBack, othersHeldBack) = (0, 0);
        var now = timeProvider.GetTimestamp();
        key = key.Length <= MaxKeyLength ? key : key[..MaxKeyLength];
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var entry) && timeProvider.GetElapsedTime(entry.Since, now) < Interval)
            {
                _entries[key] = entry with { HeldBack = entry.HeldBack + 1 };
                return false;
            }

            if (_entered == 0 || timeProvider.GetElapsedTime(_intervalSince, now) >= Interval)
            {
                (_intervalSince, _entered) = (now, 0);
            }

            if (_entered == MaxPerInterval)
            {
                if (_entries.ContainsKey(key))
                {
                    _entries[key] = entry with { HeldBack = entry.HeldBack + 1 };
                }
                else
                {
                    _othersHeldBack++;
                }

                return false;
            }

            _entered++;
            if (_entries.Count >= MaxKeys)
            {
                _entries.Clear();
            }

            _entries[key] = new(now, 0);
            (heldBack, othersHeldBack, _othersHeldBack) = (entry.HeldBack, _othersHeldBack, 0);
            return true;
        }
    }

    private readonly record struct Entry(long Since, long HeldBack);
}
