using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace MqttDeviceCluster;

/// <summary>
/// What is stored of a device. A value that is replaced and never changed: storage may serialize it off the grain's thread.
/// </summary>
/// <remarks>
/// Stored rows outlive versions of this type: members are only ever added, and a missing one reads as its default. The pins are a
/// sorted list, because a dictionary with a record as key does not survive the default JSON serializer.
/// </remarks>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DeviceState")]
internal sealed record DeviceState
{
    /// <summary>Gets the pins, in their order. Never the default array, whatever a serializer left out.</summary>
    [Id(0), JsonPropertyName("pins")]
    public ImmutableArray<DevicePin> Pins
    {
        get => field.IsDefault ? [] : field;
        init;
    }

    /// <summary>Gets when the device last sent anything that was not retained.</summary>
    [Id(1), JsonPropertyName("lastSeen"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? LastSeen { get; init; }

    /// <summary>Gets the boot of the last update that named a boot and a number.</summary>
    [Id(2), JsonPropertyName("boot"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Boot { get; init; }

    /// <summary>Gets the highest number seen in <see cref="Boot"/>.</summary>
    [Id(3), JsonPropertyName("seq"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Seq { get; init; }

    /// <summary>Gets the boot before <see cref="Boot"/>.</summary>
    [Id(4), JsonPropertyName("prevBoot"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? PreviousBoot { get; init; }

    /// <summary>Gets the highest number seen in <see cref="PreviousBoot"/>.</summary>
    [Id(5), JsonPropertyName("prevSeq"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? PreviousSeq { get; init; }

    public DeviceSnapshot ToSnapshot(string deviceId) => new(deviceId, ToUpdates(), LastSeen);

    public ImmutableArray<PinUpdate> ToUpdates() => ImmutableArray.CreateRange(Pins, static pin => pin.ToUpdate());
}
