namespace MqttDeviceCluster.Storage;

/// <summary>The names of what the storage providers measure. No instrument has a tag per grain.</summary>
public static class GrainStorageTelemetry
{
    /// <summary>The meter, for <c>AddMeter</c>.</summary>
    public const string MeterName = "MqttDeviceCluster.Storage";

    /// <summary>
    /// Counter, {operation}: reads, pages of scans, writes and clears that ended, by <see cref="ProviderTag"/>, <see cref="OperationTag"/> and
    /// <see cref="OutcomeTag"/>.
    /// </summary>
    public const string Operations = "mdc.storage.operations";

    /// <summary>Histogram, s: how long a commit took, by <see cref="ProviderTag"/> and <see cref="OutcomeTag"/>.</summary>
    public const string CommitDuration = "mdc.storage.commit.duration";

    /// <summary>Histogram, {operation}: how many operations shared a commit, by <see cref="ProviderTag"/>.</summary>
    public const string CommitSize = "mdc.storage.commit.size";

    /// <summary>Up-down counter, {operation}: operations that wait for their commit, by <see cref="ProviderTag"/>.</summary>
    public const string QueueLength = "mdc.storage.queue.length";

    /// <summary>Counter, {error}: commits and reads that the store failed, by <see cref="ProviderTag"/> and <see cref="OperationTag"/>.</summary>
    public const string Errors = "mdc.storage.errors";

    /// <summary>Counter, {record}: records that a scan left out because they cannot be deserialized, by <see cref="ProviderTag"/>. Each scan counts them again.</summary>
    public const string Unreadable = "mdc.storage.scan.unreadable";

    /// <summary>Tag: the provider's name.</summary>
    public const string ProviderTag = "mdc.storage.provider";

    /// <summary>Tag: <c>read</c>, <c>scan</c> (a page), <c>write</c>, <c>clear</c> or <c>commit</c>.</summary>
    public const string OperationTag = "mdc.storage.operation";

    /// <summary>Tag: <c>ok</c>, <c>conflict</c> (ETag), <c>refused</c> (the record), <c>failed</c> (the store) or <c>cancelled</c>.</summary>
    public const string OutcomeTag = "mdc.storage.outcome";
}
