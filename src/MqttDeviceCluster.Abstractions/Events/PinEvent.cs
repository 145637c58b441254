namespace MqttDeviceCluster;

/// <summary>A pin's update was stored.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Update">The update.</param>
/// <param name="Changed">
/// Whether mode or state differ from what was known before. Always <see langword="true"/> unless <see cref="WatchOptions.IncludeUnchanged"/> was asked for.
/// </param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.PinEvent")]
public sealed record PinEvent(string DeviceId, [property: Id(0)] PinUpdate Update, [property: Id(1)] bool Changed)
    : DeviceEvent(DeviceId, Update.ReceivedAt)
{
    /// <summary>
    /// Gets whether the broker had marked the message as sent again, as it does after a lost connection or silo. From a device that numbers nothing it may be one that was
    /// told before, and then newer ones follow; a numbered repetition is never told.
    /// </summary>
    [Id(2)]
    public bool Redelivered { get; init; }
}
