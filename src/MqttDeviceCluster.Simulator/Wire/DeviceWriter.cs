using System.Buffers;
using System.Text.Json;

namespace MqttDeviceCluster.Simulator.Wire;

/// <summary>Writes what a device says.</summary>
internal static class DeviceWriter
{
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _json;

    public static byte[] Update(ReadOnlySpan<SimulatedPin> pins, (long Boot, long Seq)? envelope, (int Rssi, int VoiceCallState)? extra)
    {
        var json = Begin();
        if (envelope is { } numbers)
        {
            json.WriteStartObject();
            json.WriteNumber("boot"u8, numbers.Boot);
            json.WriteNumber("seq"u8, numbers.Seq);
            json.WriteStartArray("pins"u8);
        }
        else
        {
            json.WriteStartArray();
        }

        foreach (var pin in pins)
        {
            json.WriteStartObject();
            json.WriteNumber("pin"u8, pin.Pin);
            json.WriteNumber("mode"u8, pin.Mode);
            json.WriteNumber("state"u8, pin.State);
            if (extra is { } fields)
            {
                json.WriteNumber("rssi"u8, fields.Rssi);
                json.WriteNumber("voice_call_state"u8, fields.VoiceCallState);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (envelope is not null)
        {
            json.WriteEndObject();
        }

        return End();
    }

    public static byte[] Status(StatusStyle style, bool online, long boot, string firmware)
    {
        if (style == StatusStyle.Word)
        {
            return online ? "online"u8.ToArray() : "offline"u8.ToArray();
        }

        var json = Begin();
        json.WriteStartObject();
        json.WriteBoolean("online"u8, online);
        json.WriteNumber("boot"u8, boot);
        if (online)
        {
            json.WriteString("fw"u8, firmware);
        }

        json.WriteEndObject();
        return End();
    }

    private static Utf8JsonWriter Begin()
    {
        _buffer ??= new ArrayBufferWriter<byte>(256);
        _buffer.ResetWrittenCount();
        _json ??= new Utf8JsonWriter(_buffer);
        _json.Reset(_buffer);
        return _json;
    }

    private static byte[] End()
    {
        _json!.Flush();
        return _buffer!.WrittenSpan.ToArray();
    }
}
