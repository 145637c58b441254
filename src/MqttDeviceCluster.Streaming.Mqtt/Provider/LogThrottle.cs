namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>Lets one log message through per key and minute, and counts the others. Thread-safe, and bounded whatever keys a stranger invents.</summary>
internal sealed class LogThrottle(TimeProvider timeProvider)
{
    private const int MaxKeys = 10_000;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = [];

    /// <summary>Returns whether to log now, and how many were held back since the last time.</summary>
    public bool TryEnter(string key, out long heldBack)
    {
        var now = timeProvider.GetTimestamp();
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var entry) && timeProvider.GetElapsedTime(entry.Since, now) < Interval)
            {
                _entries[key] = entry with { HeldBack = entry.HeldBack + 1 };
                heldBack = 0;
                return false;
            }

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
