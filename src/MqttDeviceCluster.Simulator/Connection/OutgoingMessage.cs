namespace MqttDeviceCluster.Simulator.Connection;

/// <summary>Something a device publishes.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Payload">The payload, not changed any more.</param>
/// <param name="Retain">Whether the broker keeps it.</param>
/// <param name="CorrelationData">The id of the command it answers, when that is echoed.</param>
/// <param name="Sent">Completed when the broker took it; faulted when it was lost.</param>
internal sealed record OutgoingMessage(
    string Topic, ReadOnlyMemory<byte> Payload, bool Retain = false, byte[]? CorrelationData = null, TaskCompletionSource? Sent = null)
{
    /// <summary>Gets whether it counts as an update; status messages do not.</summary>
    public bool IsUpdate { get; init; } = true;

    /// <summary>Gets the quality of service it must have; by default that of the fleet.</summary>
    public int? QualityOfService { get; init; }
}
