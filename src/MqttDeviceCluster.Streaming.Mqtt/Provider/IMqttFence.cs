namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>
/// Keeps a process that was paused (frozen, its machine suspended) or cut off from going on as if nothing had happened: others may act in its place by now. A host may
/// register one, keyed by the provider's name. While it is closed nothing is published and nothing delivered, and the receiving connection is
/// given up, so that the broker delivers again what it held.
/// </summary>
public interface IMqttFence
{
    /// <summary>Gets a token that is cancelled when the fence closes the next time.</summary>
    CancellationToken Closing { get; }

    /// <summary>
    /// Returns why what began at <paramref name="since"/> must not act any more, in one phrase, or <see langword="null"/> when it may. For what began before the fence was
    /// closed last that stays so when it is open again. Called for each message: it must be cheap, thread-safe, and notice a pause by itself.
    /// </summary>
    /// <param name="since">A time stamp of the host's <see cref="TimeProvider"/>.</param>
    string? WhyClosed(long since);

    /// <summary>
    /// Returns why the session at the broker must not be taken back from whoever has taken it over, in one phrase, or <see langword="null"/> when it may. Called before each try, until one
    /// may. A host that cannot tell whether it is still part of what it belongs to should close, too.
    /// </summary>
    /// <param name="cancellationToken">The connection is stopped.</param>
    Task<string?> WhyNotTakeBackAsync(CancellationToken cancellationToken) => Task.FromResult<string?>(null);
}
