using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Writes the payloads of commands: the keys in the order of the protocol, and not a space, because firmware may look for the bytes.</summary>
internal static class CommandPayload
{
    private static readonly JsonEncodedText Pin = JsonEncodedText.Encode("pin");
    private static readonly JsonEncodedText Mode = JsonEncodedText.Encode("mode");
    private static readonly JsonEncodedText State = JsonEncodedText.Encode("state");
    private static readonly JsonEncodedText Time = JsonEncodedText.Encode("time");

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    public static byte[] Write(DeviceCommand command)
    {
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(512);
        buffer.ResetWrittenCount();
        var writer = _writer ??= new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true });
        writer.Reset(buffer);
        writer.WriteStartArray();
        switch (command)
        {
            case ConfigPinsCommand config:
                WritePins(writer, config.Pins);
                break;
            case SetPinsCommand set:
                WritePins(writer, set.Pins);
                break;
            case UpdateCommand update:
                foreach (var pin in update.Pins)
                {
                    writer.WriteNumberValue(pin);
                }

                break;
            default:
                throw new NotSupportedException($"There is no payload for {command.GetType()}.");
        }

        writer.WriteEndArray();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WritePins(Utf8JsonWriter writer, ImmutableArray<ConfigPin> pins)
    {
        foreach (var pin in pins)
        {
            writer.WriteStartObject();
            writer.WriteNumber(Pin, pin.Pin);
            writer.WriteNumber(Mode, (int)pin.Mode);
            if (pin.State is { } state)
            {
                writer.WriteNumber(State, (int)state);
            }

            writer.WriteEndObject();
        }
    }

    private static void WritePins(Utf8JsonWriter writer, ImmutableArray<SetPin> pins)
    {
        foreach (var pin in pins)
        {
            writer.WriteStartObject();
            writer.WriteNumber(Pin, pin.Pin);
            writer.WriteNumber(State, (int)pin.State);
            if (pin.Time is { } time)
            {
                writer.WriteNumber(Time, time.Ticks / TimeSpan.TicksPerMillisecond);
            }

            writer.WriteEndObject();
        }
    }
}
