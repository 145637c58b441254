using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>The limits on what a device may send.</summary>
internal static class WireLimits
{
    /// <summary>64 KiB.</summary>
    public const int MaxPayloadBytes = 64 * 1024;

    /// <summary>256 elements in one update, good or bad.</summary>
    public const int MaxElements = 256;

    /// <summary>128 bytes of UTF-8 for the name of a firmware, which is kept with the device and shown on terminals.</summary>
    public const int MaxFirmwareBytes = 128;

    /// <summary>How deep extra fields may nest. Far beyond any firmware, and nothing to a stack.</summary>
    public const int MaxDepth = 64;

    /// <summary>Refuses a message that breaks a limit whatever is in it; otherwise <see langword="null"/>.</summary>
    public static MqttDecoded<TEvent>? Refuse<TEvent>(MqttIncomingMessage message)
        where TEvent : notnull
    {
        if (!DeviceId.IsValid(message.Key))
        {
            return MqttDecoded.Refuse<TEvent>(
                WireRefusals.BadDeviceId, $"The topic's device id is not 1 to {DeviceId.MaxBytes} bytes of text without control characters.");
        }

        return message.Payload.Length > MaxPayloadBytes
            ? MqttDecoded.Refuse<TEvent>(WireRefusals.TooLarge, $"It has {message.Payload.Length} bytes; {MaxPayloadBytes} are allowed.")
            : null;
    }
}
