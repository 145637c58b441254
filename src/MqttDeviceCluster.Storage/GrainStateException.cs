namespace MqttDeviceCluster.Storage;

/// <summary>
/// The state of one grain cannot be stored or read: its serializer or the database refuses it. Nothing was changed. The store itself works; trying again will not help
/// until the code or the record changes.
/// </summary>
/// <remarks>It carries no inner exception: the cause is in the silo's log, in types that a caller need not have.</remarks>
[GenerateSerializer, Alias("MqttDeviceCluster.Storage.GrainStateException")]
public sealed class GrainStateException : OrleansException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="providerName">The storage provider.</param>
    /// <param name="message">What failed, of which grain and why, in one sentence.</param>
    public GrainStateException(string providerName, string message)
        : base(message) => ProviderName = providerName;

    /// <summary>Gets the name of the storage provider.</summary>
    [Id(0)]
    public string ProviderName { get; private set; }
}
