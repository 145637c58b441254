using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MqttDeviceCluster.Cli.Output;

/// <summary>The JSON documents of <c>--json</c>, each on one line, with properties in a fixed order.</summary>
internal static class JsonDocuments
{
    public static string Result(string deviceId, string evidence, ImmutableArray<PinUpdate> updates) => Write(json =>
    {
        json.WriteString("device", deviceId);
        json.WriteString("evidence", evidence);
        WritePins(json, "updates", updates);
    });

    public static string Updates(string deviceId, ImmutableArray<PinUpdate> updates) => Write(json =>
    {
        json.WriteString("device", deviceId);
        WritePins(json, "updates", updates);
    });

    public static string Snapshot(DeviceSnapshot snapshot) => Write(json =>
    {
        json.WriteString("device", snapshot.DeviceId);
        json.WriteString("lastSeen", snapshot.LastSeen is { } time ? ResultWriter.Time(time) : null);
        WritePins(json, "pins", snapshot.Pins);
    });

    public static string Simulation(string broker, int devices, string firstId, string lastId) => Write(json =>
    {
        json.WriteString("broker", broker);
        json.WriteNumber("devices", devices);
        json.WriteString("firstId", firstId);
        json.WriteString("lastId", lastId);
    });

    public static string Error(string error, string message) => Write(json =>
    {
        json.WriteString("error", error);
        json.WriteString("message", message);
    });

    private static void WritePins(Utf8JsonWriter json, string name, ImmutableArray<PinUpdate> updates)
    {
        json.WriteStartArray(name);
        foreach (var update in updates)
        {
            json.WriteStartObject();
            json.WriteNumber("pin", update.Pin);
            WriteNumber(json, "mode", (int?)update.Mode);
            WriteNumber(json, "state", (int?)update.State);
            json.WriteString("receivedAt", ResultWriter.Time(update.ReceivedAt));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, int? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static string Write(Action<Utf8JsonWriter> content)
    {
        var buffer = new ArrayBufferWriter<byte>();
        // Read by programs and people, never embedded in HTML: an id in Cyrillic stays legible.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            content(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
