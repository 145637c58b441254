namespace MqttDeviceCluster;

/// <summary>Events are missing here. What was missed can be read with <c>ListDevicesAsync</c> or <c>GetSnapshotAsync</c>.</summary>
/// <param name="DeviceId">The device that they concern, or <see langword="null"/> if it may be any.</param>
/// <param name="At">When the gap was noticed (UTC).</param>
/// <param name="Reason">Why they are missing.</param>
/// <param name="Missed">How many are missing, or <see langword="null"/> when nobody can know, which may also be none.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.GapEvent")]
public sealed record GapEvent(
    string? DeviceId,
    DateTimeOffset At,
    [property: Id(0)] GapReason Reason,
    [property: Id(1)] long? Missed = null)
    : DeviceEvent(DeviceId, At);
