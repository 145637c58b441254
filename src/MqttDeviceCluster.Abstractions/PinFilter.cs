namespace MqttDeviceCluster;

/// <summary>Selects pin updates. A part that is <see langword="null"/> matches anything.</summary>
/// <param name="Pin">The pin.</param>
/// <param name="Mode">The mode.</param>
/// <param name="State">The state.</param>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.PinFilter")]
public sealed record PinFilter(
    [property: Id(0)] int? Pin = null,
    [property: Id(1)] PinMode? Mode = null,
    [property: Id(2)] PinState? State = null)
{
    /// <summary>Returns whether <paramref name="update"/> passes every part of this filter that is not <see langword="null"/>.</summary>
    public bool Matches(PinUpdate update)
    {
        ArgumentNullException.ThrowIfNull(update);
        return (Pin is null || Pin == update.Pin)
            && (Mode is null || Mode == update.Mode)
            && (State is null || State == update.State);
    }

    /// <summary>Returns whether some update could pass both this filter and <paramref name="other"/>. Symmetric.</summary>
    public bool Overlaps(PinFilter other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return (Pin is null || other.Pin is null || Pin == other.Pin)
            && (Mode is null || other.Mode is null || Mode == other.Mode)
            && (State is null || other.State is null || State == other.State);
    }
}
