namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>
/// Delays between attempts to connect: the first up to 250 ms, then doubling up to a cap, each jittered downwards by up to half, also at
/// the cap, so that a fleet of silos does not come back in step.
/// </summary>
internal sealed class ReconnectBackoff(TimeSpan cap, Random random)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);

    private int _attempts;

    /// <summary>Gets the delay before the next attempt.</summary>
    public TimeSpan Next()
    {
        var attempt = _attempts++;
        if (attempt == 0)
        {
            return random.NextDouble() * (First < cap ? First : cap);
        }

        // Beyond 2^20 the cap rules anyway.
        var delay = First * Math.Pow(2, Math.Min(attempt, 20));
        return Jitter(delay < cap ? delay : cap);
    }

    /// <summary>Gets a delay for a failure that someone must mend first.</summary>
    public TimeSpan AtCap()
    {
        _attempts++;
        return Jitter(cap);
    }

    /// <summary>Starts over. To be called only after a connection that lasted.</summary>
    public void Reset() => _attempts = 0;

    private TimeSpan Jitter(TimeSpan delay) => delay * (0.5 + (random.NextDouble() / 2));
}
