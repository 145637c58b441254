using System.Collections.Immutable;
using System.Text;
using MqttDeviceCluster.Simulator;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>Something that a device must not send, and the reason with which all of it is refused.</summary>
/// <param name="Topic">The topic; <c>{id}</c> is any device.</param>
/// <param name="Payload">The payload.</param>
/// <param name="Reason">The reason.</param>
internal sealed record MalformedUpdate(string Topic, ReadOnlyMemory<byte> Payload, string Reason)
{
    private const string Update = "device/{id}/pin/update";
    private const string Status = "device/{id}/status";
    private const string Good = """[{"pin":13,"mode":3,"state":1}]""";

    /// <summary>Gets those that are small enough to be sent by the ten thousand.</summary>
    public static ImmutableArray<MalformedUpdate> Small { get; } =
    [
        new(Update, BadPayload.Empty, "not_json"),
        new(Update, BadPayload.NotJson, "not_json"),
        new(Update, BadPayload.CutShort, "not_json"),
        new(Update, BadPayload.NotUtf8, "not_json"),
        new(Update, BadPayload.NotAnArray, "not_an_update"),
        new(Update, BadPayload.TooManyElements, "too_many_elements"),
        Text(Update, " ", "not_json"),
        Text(Update, "\uFEFF", "not_json"),
        Text(Update, "\uFEFF\uFEFF" + Good, "not_json"),
        Text(Update, Good + Good, "not_json"),
        Text(Update, Good + "\0", "not_json"),
        Text(Update, "[" + new string('[', 100) + new string(']', 100) + "]", "not_json"),
        Text(Update, new string('[', 10_000), "not_json"),
        Text(Update, """[{"pin":01,"mode":3,"state":1}]""", "not_json"),
        Text(Update, """[{"pin":NaN,"mode":3,"state":1}]""", "not_json"),
        Text(Update, """[{'pin':13,'mode':3,'state':1}]""", "not_json"),
        Text(Update, """[{"pin":13,"mode":3,"state":1},]""", "not_json"),
        Text(Update, """{"boot":17,"seq":42}""", "not_an_update"),
        Text(Update, """{"boot":17,"seq":42,"pins":{"pin":13,"state":1}}""", "not_an_update"),
        Text(Update, """{"pins":null}""", "not_an_update"),
        Text(Update, "null", "not_an_update"),
        Text(Update, "true", "not_an_update"),
        Text(Update, "\"on\"", "not_an_update"),
        Text(Update, "[null]", "bad_element"),
        Text(Update, "[null,7,\"x\",[],true]", "bad_element"),
        Text(Update, """[{}]""", "bad_element"),
        Text(Update, """[{"pin":13}]""", "bad_element"),
        Text(Update, """[{"pin":"13","mode":"3","state":"1"}]""", "bad_element"),
        Text(Update, """[{"pin":-1,"mode":3,"state":1}]""", "bad_element"),
        Text(Update, """[{"pin":2147483648,"mode":3,"state":1}]""", "bad_element"),
        Text(Update, """[{"pin":1e400,"mode":3,"state":1}]""", "bad_element"),
        Text(Update, $$"""[{"pin":{{new string('9', 5000)}},"mode":3,"state":1}]""", "bad_element"),
        Text(Update, """[{"pin":13,"mode":99999999999999999999,"state":1}]""", "bad_element"),
        Text(Update, """[{"pin":13,"pin":"x","mode":3,"state":1}]""", "bad_element"),
        Text(Status, "perhaps", "not_json"),
        Text(Status, "{}", "not_a_status"),
        Text(Status, "[]", "not_a_status"),
        Text(Status, """{"online":"yes"}""", "not_a_status"),

        // Topics that the subscription lets through.
        Text("device//pin/update", Good, "no_route"),
        Text($"device/{new string('x', 129)}/pin/update", Good, "bad_device_id"),
        Text($"device/{new string('ä', 65)}/pin/update", Good, "bad_device_id"),
        Text($"device/{new string('y', 40_000)}/pin/update", Good, "bad_device_id"),
    ];

    /// <summary>Gets those that are one byte, and a megabyte, too large.</summary>
    public static ImmutableArray<MalformedUpdate> Large { get; } =
    [
        new(Update, BadPayload.TooBig, "payload_too_large"),
        new(Update, new byte[1024 * 1024], "payload_too_large"),
    ];

    /// <summary>Gets what looks hostile and is an update of a device nevertheless: each sets pin 13 of the device that stands there high.</summary>
    public static ImmutableArray<(string Device, string Payload)> Strange { get; } =
    [
        ("..", Good), ("$SYS", Good), ("a", Good), ("0a", Good), ("A", Good), ("00a", Good), ("' OR 1=1 --", Good), ("%2e%2e", Good),
        (new string('z', 128), Good), ("日本語", Good),
        ("bom", "\uFEFF" + Good),
        ("twice", """[{"pin":12,"pin":13,"mode":3,"state":0,"state":1}]"""),
        ("parts", """[null,{"pin":13,"mode":3,"state":1},{"pin":"x"},7]"""),
        ("deep", $$"""[{"x":{{new string('[', 60)}}{{new string(']', 60)}},"pin":13,"mode":3,"state":1}]"""),
        ("wide", "[" + string.Join(',', Enumerable.Range(0, 256).Select(pin => $$"""{"pin":{{pin}},"mode":3,"state":1}""")) + "]"),
        ("padded", Good + new string(' ', (64 * 1024) - Good.Length)),
    ];

    /// <summary>Returns the topic of a device.</summary>
    public string TopicOf(string device) => Topic.Replace("{id}", device, StringComparison.Ordinal);

    private static MalformedUpdate Text(string topic, string payload, string reason) => new(topic, Encoding.UTF8.GetBytes(payload), reason);
}
