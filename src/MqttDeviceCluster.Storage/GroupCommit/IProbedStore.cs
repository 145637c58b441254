namespace MqttDeviceCluster.Storage.GroupCommit;

/// <summary>What <see cref="GrainStorageHealth"/> needs to know of a store.</summary>
internal interface IProbedStore
{
    /// <summary>Gets where the records are, for messages: a path or a server, without secrets.</summary>
    string Location { get; }

    /// <summary>Does what a commit does, down to the disk, without changing a record. Cheap; it throws while commits would fail.</summary>
    Task ProbeWriteAsync();

    /// <summary>Does what a read does. Cheap; it throws while reads would fail.</summary>
    Task ProbeReadAsync();

    /// <summary>Says in a few words, without secrets, why the store failed: the part of a sentence after the colon.</summary>
    string Explain(Exception cause);

    /// <summary>Gets whether the store failed for a reason that may be over soon by itself: it does not answer, or says that it is not ready.</summary>
    bool IsAway(Exception cause);
}
