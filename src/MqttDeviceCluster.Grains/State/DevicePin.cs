using System.Text.Json.Serialization;

namespace MqttDeviceCluster;

/// <summary>A pin as it is stored. Numbers instead of enums: a serializer that writes names could not read unknown ones back. A value: a device in memory has all of its pins.</summary>
[GenerateSerializer, Immutable, Alias("MqttDeviceCluster.DevicePin")]
internal readonly record struct DevicePin
{
    [Id(0), JsonPropertyName("pin")]
    public int Pin { get; init; }

    [Id(1), JsonPropertyName("mode"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Mode { get; init; }

    [Id(2), JsonPropertyName("state"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? State { get; init; }

    [Id(3), JsonPropertyName("at")]
    public DateTimeOffset ReceivedAt { get; init; }

    public PinUpdate ToUpdate() => new(Pin, (PinMode?)Mode, (PinState?)State, ReceivedAt);
}
