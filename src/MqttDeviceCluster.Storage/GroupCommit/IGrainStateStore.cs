namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>
/// The part of the storage that knows the database. <see cref="GroupCommitter"/> calls <see cref="CommitAsync"/> for one batch at a time; reads and probes may run
/// beside it. A method that throws says that the store failed, for everyone; what concerns one record only is in its result.
/// </summary>
internal interface IGrainStateStore : IAsyncDisposable
{
    /// <summary>Gets where the records are, for messages: a path or a server, without secrets.</summary>
    string Location { get; }

    /// <summary>Creates what is missing (directory, file, schema) and makes the store usable. It refuses a schema newer than it knows.</summary>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>Reads a record. It sees every change whose commit was reported.</summary>
    /// <returns>The record, or <see langword="null"/> if there is none.</returns>
    Task<StoredGrainState?> ReadAsync(GrainStateKey key, CancellationToken cancellationToken);

    /// <summary>Reads the first records of a range, by the bytes of their keys. It sees every change whose commit was reported.</summary>
    /// <remarks>Point reads go on beside it: what a page costs is bounded by its limits, not by how many records there are.</remarks>
    Task<StoredGrainStatePage> ScanAsync(GrainStateRange range, GrainStatePageLimits limits, CancellationToken cancellationToken);

    /// <summary>Makes a batch durable in one transaction: all of it that neither conflicts nor is refused, or nothing.</summary>
    /// <param name="changes">
    /// At least one. They act as if one came after the other, also when a key occurs more than once: a store whose statement can name a row only
    /// once (a batched upsert) runs one statement for the first change of each key, one for the second, and so on, inside the one transaction.
    /// </param>
    /// <returns>A result for each change, in their order.</returns>
    Task<IReadOnlyList<GrainStateChangeResult>> CommitAsync(IReadOnlyList<GrainStateChange> changes);

    /// <summary>Does what a commit does, down to the disk, without changing a record. Cheap; it throws while commits would fail.</summary>
    Task ProbeWriteAsync();

    /// <summary>Does what a read does. Cheap; it throws while reads would fail.</summary>
    Task ProbeReadAsync();

    /// <summary>Says in a few words, without secrets, why the store failed: the part of a sentence after the colon.</summary>
    string Explain(Exception cause);
}
