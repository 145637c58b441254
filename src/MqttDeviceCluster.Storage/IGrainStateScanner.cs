namespace MqttDeviceCluster.Storage;

/// <summary>
/// Lists stored grain states without activating a grain. A keyed service under the storage provider's name; safe to call from any thread, any number of times at once.
/// </summary>
public interface IGrainStateScanner
{
    /// <summary>Gets the next records of one grain type and state name, in the byte order (UTF-8) of their keys.</summary>
    /// <typeparam name="T">The state, as the grain persists it.</typeparam>
    /// <param name="grainType">The grain type.</param>
    /// <param name="stateName">The name of the state, as in <c>[PersistentState]</c>. Compared byte by byte, like the grain type.</param>
    /// <param name="keyPrefix">How the keys must begin, case and all; <see langword="null"/> or empty for every key.</param>
    /// <param name="continuation">
    /// <see cref="GrainStatePage{T}.Continuation"/> of the page before, which was asked for with the same grain type, state name and prefix, on any silo;
    /// <see langword="null"/> for the first page.
    /// </param>
    /// <param name="maxRecords">How many records to get at most, 1 or more. A page also ends after 4096 records, and after 8 MB of them.</param>
    /// <param name="cancellationToken">Stops waiting for the page.</param>
    /// <returns>
    /// A page. It may have fewer records than asked for, or none, before the end: only a continuation that is <see langword="null"/> says that there are no more.
    /// </returns>
    /// <exception cref="GrainStorageUnavailableException">The store failed, or is stopped. The same page can be asked for again.</exception>
    /// <exception cref="ArgumentException"><paramref name="maxRecords"/> is less than 1, or the continuation is not of a scan with this prefix.</exception>
    /// <remarks>
    /// A page is what was stored at one moment, every write that completed before the call included; pages are of different moments. Over all of them a record that is
    /// neither written for the first time nor cleared meanwhile is seen exactly once. A record that cannot be deserialized is left out, logged and counted.
    /// Redis has no order and no such moment: which records there are is as of some time between the call for a scan's first page and its answer, which waits for a walk
    /// through all keys; a record that was written for the first time after it is not seen. The states are those at the time of their page.
    /// </remarks>
    Task<GrainStatePage<T>> ScanAsync<T>(
        GrainType grainType, string stateName, string? keyPrefix, string? continuation, int maxRecords, CancellationToken cancellationToken);
}

/// <summary>Some of the records of a scan.</summary>
/// <typeparam name="T">The state.</typeparam>
/// <param name="Records">The records, in the byte order of their keys.</param>
/// <param name="Continuation">What asks for the next page, or <see langword="null"/> at the end. What is in it is the store's business.</param>
public sealed record GrainStatePage<T>(IReadOnlyList<GrainStateRecord<T>> Records, string? Continuation);

/// <summary>The stored state of one grain.</summary>
/// <typeparam name="T">The state.</typeparam>
/// <param name="Key">The grain's key.</param>
/// <param name="State">The state, deserialized for this page: the caller's own.</param>
/// <param name="ModifiedAt">When the state was last written, by the clock of the silo that wrote it; <see langword="null"/> where the store keeps no such time (Redis).</param>
public readonly record struct GrainStateRecord<T>(string Key, T State, DateTimeOffset? ModifiedAt);
