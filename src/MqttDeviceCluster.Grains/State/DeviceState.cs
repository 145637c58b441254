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

    /// <summary>Gets when the device was first heard of.</summary>
    [Id(6), JsonPropertyName("firstSeen"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? FirstSeen { get; init; }

    /// <summary>Gets the <see cref="MqttDeviceCluster.Presence"/> by what the device sent, as a number.</summary>
    [Id(7), JsonPropertyName("presence"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Presence { get; init; }

    /// <summary>Gets the <see cref="MqttDeviceCluster.PresenceReason"/>, as a number.</summary>
    [Id(8), JsonPropertyName("presenceBy"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int PresenceReason { get; init; }

    /// <summary>Gets since when <see cref="Presence"/> is so.</summary>
    [Id(9), JsonPropertyName("presenceAt"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? PresenceSince { get; init; }

    /// <summary>Gets whether the device ever sent a status: then its last will says when it goes, and silence says nothing.</summary>
    [Id(10), JsonPropertyName("status"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool OffersStatus { get; init; }

    /// <summary>Gets the boot that the device was last seen to run, by its birth message or its updates.</summary>
    [Id(11), JsonPropertyName("runs"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? RunningBoot { get; init; }

    /// <summary>Gets the boot before <see cref="RunningBoot"/>, whose last will may still be on its way.</summary>
    [Id(12), JsonPropertyName("ran"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? FormerBoot { get; init; }

    /// <summary>Gets the firmware that the device's birth message named.</summary>
    [Id(13), JsonPropertyName("fw"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Firmware { get; init; }

    /// <summary>Gets the mark of the delivery that this state was stored for (see <see cref="RecentDeliveries"/>).</summary>
    [Id(14), JsonPropertyName("delivery"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Delivery { get; init; }

    /// <summary>Returns the state that a row of an earlier version stands for: it lacks what that version did not keep.</summary>
    public DeviceState Completed()
    {
        if (FirstSeen is not null)
        {
            return this;
        }

        DateTimeOffset? earliest = LastSeen;
        foreach (var pin in Pins)
        {
            earliest = earliest < pin.ReceivedAt ? earliest : pin.ReceivedAt;
        }

        return earliest is null ? this : this with { FirstSeen = earliest };
    }

    public DevicePresence ToPresence() =>
        Presence == 0 ? DevicePresence.Unknown : new((Presence)Presence, (PresenceReason)PresenceReason, PresenceSince);

    public DeviceSnapshot ToSnapshot(string deviceId, DateTimeOffset asOf) => new(deviceId, ToUpdates(), LastSeen)
    {
        Presence = ToPresence(),
        FirstSeen = FirstSeen,
        Firmware = Firmware,
        AsOf = asOf,
    };

    public ImmutableArray<PinUpdate> ToUpdates() => ImmutableArray.CreateRange(Pins, static pin => pin.ToUpdate());
}
