namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>
/// Lets one log message through per key and minute, and a thousand in all, and counts the others. Thread-safe, and bounded whatever keys a stranger invents: a log that
/// cannot keep up with him would hold up everyone's messages.
/// </summary>
internal sealed class LogThrottle(TimeProvider timeProvider)
{
    private const int MaxKeys = 10_000;
    private const int MaxKeyLength = 128;
    private const int MaxPerInterval = 1_000;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = [];
    private long _intervalSince;
    private int _entered;

    /// <summary>Returns whether to log now, and how many were held back since the last time.</summary>
    public bool TryEnter(string key, out long heldBack)
    {
        var now = timeProvider.GetTimestamp();
        key = key.Length <= MaxKeyLength ? key : key[..MaxKeyLength];
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var entry) && timeProvider.GetElapsedTime(entry.Since, now) < Interval)
            {
                _entries[key] = entry with { HeldBack = entry.HeldBack + 1 };
                heldBack = 0;
                return false;
            }

            if (_entered == 0 || timeProvider.GetElapsedTime(_intervalSince, now) >= Interval)
            {
                (_intervalSince, _entered) = (now, 0);
            }

            if (_entered == MaxPerInterval)
            {
                heldBack = 0;
                return false;
            }

            _entered++;
            if (_entries.Count >= MaxKeys)
            {
                _entries.Clear();
            }

            _entries[key] = new(now, 0);
            heldBack = entry.HeldBack;
            return true;
        }
    }

    private readonly record struct Entry(long Since, long HeldBack);
}
