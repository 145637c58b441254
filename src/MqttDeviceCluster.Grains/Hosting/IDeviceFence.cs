namespace MqttDeviceCluster;

/// <summary>
/// Keeps a silo that was paused (frozen, its machine suspended) or cut off from sending commands that it took before: its devices may live on another silo by now, and its callers
/// have been told so. A host registers one as a singleton; without one a silo goes on where it stopped.
/// </summary>
public interface IDeviceFence
{
    /// <summary>Gets a token that is cancelled when the fence closes the next time.</summary>
    CancellationToken Closing { get; }

    /// <summary>
    /// Returns why a command that was taken at <paramref name="since"/> must not be sent any more, in one phrase, or <see langword="null"/> when it may. For one that was taken
    /// before the fence was closed last that stays so when it is open again. Cheap, thread-safe, and notices a pause by itself.
    /// </summary>
    /// <param name="since">A time stamp of the host's <see cref="TimeProvider"/>.</param>
    string? WhyClosed(long since);
}
