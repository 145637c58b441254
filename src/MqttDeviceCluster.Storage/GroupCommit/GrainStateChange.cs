namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>A write or a clear that waits for its commit.</summary>
/// <param name="Key">The record.</param>
/// <param name="ExpectedETag">The ETag that the record must have, or <see langword="null"/> if there must be none.</param>
/// <param name="NewETag">
/// The ETag that the record gets, or <see langword="null"/> to delete it. It is never used twice, so that a record that was deleted and written anew does not match an
/// ETag from before: that is why a clear can delete and need not leave a tombstone.
/// </param>
/// <param name="Payload">The serialized state; empty for a clear.</param>
internal sealed record GrainStateChange(GrainStateKey Key, string? ExpectedETag, string? NewETag, ReadOnlyMemory<byte> Payload)
{
    public bool IsClear => NewETag is null;
}

/// <summary>How a change in a committed batch ended.</summary>
internal enum GrainStateChangeOutcome
{
    /// <summary>It is durable.</summary>
    Applied = 0,

    /// <summary>A clear found no record, and expected none.</summary>
    NothingToClear = 1,

    /// <summary>The record does not have the expected ETag.</summary>
    Conflict = 2,

    /// <summary>The database refused this record (too big, a constraint); the others of the batch are not affected.</summary>
    Refused = 3,
}

/// <summary>The result of one change.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="StoredETag">On a conflict, the ETag that the record has; <see langword="null"/> if there is no record.</param>
/// <param name="Reason">On a refusal, why.</param>
internal readonly record struct GrainStateChangeResult(GrainStateChangeOutcome Outcome, string? StoredETag = null, string? Reason = null);

/// <summary>A record as it is stored.</summary>
internal sealed record StoredGrainState(string ETag, ReadOnlyMemory<byte> Payload);
