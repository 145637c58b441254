using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MqttDeviceCluster.Streaming.Mqtt;

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
        WriteSnapshot(json, snapshot);
    });

    public static string Forgotten(string deviceId, bool forgotten) => Write(json =>
    {
        json.WriteString("device", deviceId);
        json.WriteBoolean("forgotten", forgotten);
    });

    public static string Count(long devices) => Write(json => json.WriteNumber("devices", devices));

    /// <summary>An event of a watch: <c>type</c>, <c>device</c> (null when it concerns no single one) and <c>at</c>, then what belongs to the type.</summary>
    public static string Event(DeviceEvent told) => Write(json =>
    {
        json.WriteString("type", told switch
        {
            WatchStartedEvent => "started",
            DeviceSnapshotEvent => "snapshot",
            PinEvent => "pin",
            PresenceEvent => "presence",
            DeviceAddedEvent => "added",
            DeviceForgottenEvent => "forgotten",
            GapEvent => "gap",
            _ => throw new NotSupportedException($"There is no document for {told.GetType().Name}."),
        });
        json.WriteString("device", told.DeviceId);
        WriteTime(json, "at", told.At);
        switch (told)
        {
            case DeviceSnapshotEvent whole:
                WriteSnapshot(json, whole.Snapshot);
                break;
            case PinEvent pin:
                json.WriteNumber("pin", pin.Update.Pin);
                WriteNumber(json, "mode", (int?)pin.Update.Mode);
                WriteNumber(json, "state", (int?)pin.Update.State);
                json.WriteBoolean("changed", pin.Changed);
                if (pin.Redelivered)
                {
                    json.WriteBoolean("redelivered", true);
                }

                break;
            case PresenceEvent presence:
                WritePresence(json, presence.Presence);
                break;
            case GapEvent gap:
                json.WriteString("reason", PresenceWords.Word(gap.Reason));
                WriteNumber(json, "missed", gap.Missed);
                break;
        }
    });

    public static string Simulation(string broker, int devices, string firstId, string lastId) => Write(json =>
    {
        json.WriteString("broker", broker);
        json.WriteNumber("devices", devices);
        json.WriteString("firstId", firstId);
        json.WriteString("lastId", lastId);
    });

    public static string Retained(string broker, MqttRetainedReport found, MqttRetainedClearing? clearing) => Write(json =>
    {
        json.WriteString("broker", broker);
        json.WriteNumber("retained", found.Count);
        json.WriteBoolean("complete", found.IsComplete);
        json.WriteStartArray("topics");
        foreach (var topic in found.Topics)
        {
            json.WriteStringValue(topic);
        }

        json.WriteEndArray();
        json.WriteNumber("cleared", clearing?.Cleared ?? 0);
        json.WriteNumber("left", clearing?.Left.Count ?? found.Count);
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

    private static void WriteSnapshot(Utf8JsonWriter json, DeviceSnapshot snapshot)
    {
        WritePresence(json, snapshot.Presence);
        WriteTime(json, "firstSeen", snapshot.FirstSeen);
        WriteTime(json, "lastSeen", snapshot.LastSeen);
        json.WriteString("firmware", snapshot.Firmware);
        WritePins(json, "pins", snapshot.Pins);
    }

    private static void WritePresence(Utf8JsonWriter json, DevicePresence presence)
    {
        json.WriteString("presence", PresenceWords.Word(presence.State));
        json.WriteString("presenceReason", PresenceWords.Word(presence.Reason));
        WriteTime(json, "presenceSince", presence.Since);
    }

    private static void WriteTime(Utf8JsonWriter json, string name, DateTimeOffset? time) =>
        json.WriteString(name, time is { } known ? ResultWriter.Time(known) : null);

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
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
