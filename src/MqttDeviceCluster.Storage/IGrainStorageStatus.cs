namespace MqttDeviceCluster.Storage;

/// <summary>How a grain storage provider is doing on this silo. A keyed service under the provider's name; cheap, and safe to call from any thread.</summary>
public interface IGrainStorageStatus
{
    /// <summary>
    /// Gets whether the store fails: <see langword="true"/> from the first commit or read that failed until one of the same kind succeeds, and while one has had no
    /// answer for 2 s. While it fails the
    /// provider tries by itself, after 250 ms and then less and less often, down to every 5 s, so that it recovers when nobody writes. Conflicts and unreadable
    /// records do not count.
    /// </summary>
    bool IsFailing { get; }

    /// <summary>Gets why the store fails, in one sentence without secrets, or <see langword="null"/>.</summary>
    string? Problem { get; }

    /// <summary>Gets how many writes and clears wait for their commit, those that wait for a place in the queue included.</summary>
    int PendingOperations { get; }
}
