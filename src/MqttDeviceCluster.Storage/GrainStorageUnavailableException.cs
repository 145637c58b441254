namespace MqttDeviceCluster.Storage;

/// <summary>
/// The store failed, or is stopped: no record is to blame. Whether a write or clear took effect is unknown; trying again once the store has recovered is
/// safe, because its ETag is checked (<see cref="IGrainStorageStatus"/> says when).
/// </summary>
/// <remarks>It carries no inner exception: the cause is in the silo's log, in types that a caller need not have.</remarks>
[GenerateSerializer, Alias("MqttDeviceCluster.Storage.GrainStorageUnavailableException")]
public sealed class GrainStorageUnavailableException : OrleansException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="providerName">The storage provider.</param>
    /// <param name="message">What failed and why, in one sentence.</param>
    public GrainStorageUnavailableException(string providerName, string message)
        : base(message) => ProviderName = providerName;

    /// <summary>Gets the name of the storage provider.</summary>
    [Id(0)]
    public string ProviderName { get; private set; }
}
