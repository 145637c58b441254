namespace MqttDeviceCluster;

/// <summary>Something that updates satisfy. Updates that were retained, late or repeated are never shown to it.</summary>
internal interface IMatch
{
    /// <summary>Gets whether all that was asked for has been seen. Once it is, no more is observed.</summary>
    bool IsSatisfied { get; }

    void Observe(in ObservedUpdate update);
}
