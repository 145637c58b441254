using System.Globalization;
using System.Text;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceUpdateDecoderTests
{
    private static readonly DateTimeOffset ReceivedAt = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Theory]
    [InlineData("base", "13:3:0 14:3:1")]
    [InlineData("extra-fields", "13:3:0 14:3:1")]
    [InlineData("one-bad-element", "13:3:0 15:-:1 refused=1 bad_element")]
    [InlineData("envelope", "13:3:0 boot=17 seq=42")]
    [InlineData("envelope-any-order", "13:3:0 boot=17 seq=42")]
    [InlineData("bom-and-whitespace", "13:3:0")]
    [InlineData("unknown-mode-and-analog-state", "13:77:1023")]
    [InlineData("mode-or-state-alone", "13:3:- 14:-:1")]
    [InlineData("empty", "")]
    public void Decode_GoldenPayload_ReadsWhatTheDeviceSaid(string file, string expected) =>
        Assert.Equal(expected, Describe(Decode(Golden.Read("in", file))));

    [Theory]
    [InlineData("""[{"pin":13.0,"state":1.0}]""", "13:-:1")]
    [InlineData("""[{"pin":1.3e1,"state":10E-1}]""", "13:-:1")]
    [InlineData("""[{"pin":2147483647,"mode":-2147483648}]""", "2147483647:-2147483648:-")]
    [InlineData("""[{"pin":-0,"state":-0.0}]""", "0:-:0")]
    [InlineData("""[{"pin":13,"mode":null,"state":1}]""", "13:-:1")]
    [InlineData("""[{"pin":1,"state":0},{"pin":1,"state":1}]""", "1:-:0 1:-:1")]
    [InlineData("""[{"pin":1,"pin":2,"state":0,"state":1}]""", "2:-:1")]
    [InlineData("""[{"pin":"x","pin":2,"state":1}]""", "2:-:1")]
    [InlineData("""[{"\u0070in":13,"stat\u0065":1}]""", "13:-:1")]
    [InlineData("""[{"\ud800":1,"pin":13,"state":1}]""", "13:-:1")]
    [InlineData("""{"pins":[{"pin":1,"state":0}],"pins":[{"pin":2,"state":1}]}""", "2:-:1")]
    [InlineData("""{"pins":[{"x":0}],"pins":[{"pin":2,"state":1}]}""", "2:-:1")]
    [InlineData("""{"pins":[{"pin":2,"state":1}],"boot":null,"seq":3}""", "2:-:1 seq=3")]
    [InlineData("""{"pins":[{"pin":2,"state":1}],"boot":1e3,"seq":9007199254740993}""", "2:-:1 boot=1000 seq=9007199254740993")]
    [InlineData("""{"pins":[]}""", "")]
    public void Decode_VariantOfAnUpdate_IsTolerated(string payload, string expected) =>
        Assert.Equal(expected, Describe(Decode(payload)));

    [Theory]
    [InlineData("""{"state":1}""", "no 'pin'")]
    [InlineData("""{"pin":null,"state":1}""", "no 'pin'")]
    [InlineData("""{"pin":-1,"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":2147483648,"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":13.5,"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":1e999,"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":1e-30,"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":1e99999999999999999999,"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":"13","state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":[13],"state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":2,"pin":"x","state":1}""", "'pin' that is not")]
    [InlineData("""{"pin":13,"state":"1"}""", "'state'")]
    [InlineData("""{"pin":13,"state":true}""", "'state'")]
    [InlineData("""{"pin":13,"state":4294967296}""", "'state'")]
    [InlineData("""{"pin":13,"mode":{"a":[1]},"state":1}""", "'mode'")]
    [InlineData("""{"pin":13,"mode":"out","state":1}""", "'mode'")]
    [InlineData("""{"pin":13}""", "neither 'mode' nor 'state'")]
    [InlineData("""{"pin":13,"mode":null,"state":null}""", "neither 'mode' nor 'state'")]
    [InlineData("13", "not an object")]
    [InlineData("null", "not an object")]
    [InlineData("\"{}\"", "not an object")]
    [InlineData("""[{"pin":13,"state":1}]""", "not an object")]
    public void Decode_BadElement_CostsThatElementOnly(string element, string problem)
    {
        var some = Decode($$"""[{"pin":1,"state":0},{{element}},{"pin":2,"state":1},{{element}}]""");
        Assert.Equal("1:-:0 2:-:1 refused=2 bad_element", Describe(some));
        Assert.StartsWith("Element 2 ", some.Detail, StringComparison.Ordinal);
        Assert.Contains(problem, some.Detail, StringComparison.Ordinal);

        Assert.Equal("refused bad_element", Describe(Decode($"[{element}]")));
    }

    [Theory]
    [InlineData("""{"boot":"17","seq":42,"pins":[{"pin":1,"state":0}]}""", "'boot'")]
    [InlineData("""{"boot":17,"seq":4.2,"pins":[{"pin":1,"state":0}]}""", "'seq'")]
    [InlineData("""{"boot":17,"pins":[{"pin":1,"state":0}],"seq":99999999999999999999}""", "'seq'")]
    public void Decode_EnvelopeWithBadOrder_KeepsThePinsWithoutOrder(string payload, string problem)
    {
        var decoded = Decode(payload);
        Assert.Equal("1:-:0 refused=1 bad_envelope", Describe(decoded));
        Assert.Contains(problem, decoded.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "not_json")]
    [InlineData("   ", "not_json")]
    [InlineData("online", "not_json")]
    [InlineData("[", "not_json")]
    [InlineData("""[{"pin":13,"state":1}""", "not_json")]
    [InlineData("""[{"pin":13,"state":1}]]""", "not_json")]
    [InlineData("""[{"pin":13,"state":1}] x""", "not_json")]
    [InlineData("""[{"pin":13,"state":1},]""", "not_json")]
    [InlineData("""[{"pin":013,"state":1}]""", "not_json")]
    [InlineData("""[{"pin":NaN,"state":1}]""", "not_json")]
    [InlineData("""[{'pin':13}]""", "not_json")]
    [InlineData("""{"pins":[{"pin":1,"state":1}],"x":}""", "not_json")]
    [InlineData("null", "not_an_update")]
    [InlineData("13", "not_an_update")]
    [InlineData("\"[]\"", "not_an_update")]
    [InlineData("{}", "not_an_update")]
    [InlineData("""{"pin":13,"state":1}""", "not_an_update")]
    [InlineData("""{"pins":{"pin":13}}""", "not_an_update")]
    [InlineData("""{"pins":[],"pins":3}""", "not_an_update")]
    public void Decode_NotAnUpdate_IsRefusedWhole(string payload, string reason)
    {
        var decoded = Decode(payload);
        Assert.Equal($"refused {reason}", Describe(decoded));
        Assert.False(string.IsNullOrWhiteSpace(decoded.Detail));
    }

    [Theory]
    [InlineData(256, 1)]
    [InlineData(60_000, 2)]
    public void Decode_DepthBomb_IsRefused(int depth, int count)
    {
        var bomb = new string('[', depth / count);
        Assert.Equal("refused not_json", Describe(Decode(bomb)));
        Assert.Equal("refused not_json", Describe(Decode("[{\"x\":" + bomb)));
    }

    [Theory]
    [InlineData(new byte[] { (byte)'[', 0xff, (byte)']' })]
    [InlineData(new byte[] { 0xef, 0xbb })]
    [InlineData(new byte[] { 0xef, 0xbb, 0xbf })]
    [InlineData(new byte[] { 0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, (byte)'[', (byte)']' })]
    [InlineData(new byte[] { 0 })]
    public void Decode_BytesThatAreNotUtf8Text_AreRefused(byte[] payload) =>
        Assert.Equal("refused not_json", Describe(Decode(payload)));

    [Fact]
    public void Decode_InvalidUtf8InAnIgnoredField_IsTolerated()
    {
        byte[] payload = [.. "[{\"name\":\""u8, 0xc3, 0x28, 0xff, .. "\",\"pin\":13,\"state\":1}]"u8];
        Assert.Equal("13:-:1", Describe(Decode(payload)));
    }

    [Fact]
    public void Decode_ElementLimit_Is256GoodOrBad()
    {
        var good = Enumerable.Repeat("""{"pin":1,"state":1}""", 255);
        Assert.Equal(255, Pins(Decode($"[{string.Join(',', good.Append("{}"))}]")).Length);
        Assert.Equal("refused too_many_elements", Describe(Decode($"[{string.Join(',', good.Append("{}").Append("{}"))}]")));
        Assert.Equal("refused too_many_elements", Describe(Decode($$"""{"pins":[{{string.Join(',', good.Append("{}").Append("1"))}}]}""")));
    }

    [Fact]
    public void Decode_SizeLimit_Is64KiB()
    {
        const string Update = """[{"pin":13,"state":1}]""";
        Assert.Equal("13:-:1", Describe(Decode(Update.PadRight(64 * 1024))));
        Assert.Equal("refused too_large", Describe(Decode(Update.PadRight((64 * 1024) + 1))));
    }

    // Not in attributes: their text is UTF-8, which has no half surrogates.
    public static TheoryData<string> BadDeviceIds => ["a\nb", "\ud800", "", "a/b"];

    [Theory, MemberData(nameof(BadDeviceIds))]
    public void Decode_BadDeviceId_IsRefused(string key) =>
        Assert.Equal("refused bad_device_id", Describe(new DeviceUpdateDecoder().Decode(Message("[]"u8.ToArray(), key: key))));

    [Fact]
    public void Decode_DeviceIdOver128Bytes_IsRefused()
    {
        Assert.Equal("", Describe(new DeviceUpdateDecoder().Decode(Message("[]"u8.ToArray(), key: new string('x', 128)))));
        Assert.Equal("refused bad_device_id", Describe(new DeviceUpdateDecoder().Decode(Message("[]"u8.ToArray(), key: new string('x', 129)))));
    }

    [Fact]
    public void Decode_Message_CarriesRetainTimeAndEcho()
    {
        var id = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
        var echo = Convert.FromHexString("00112233445566778899AABBCCDDEEFF");
        var update = Assert.IsType<DeviceUpdate>(new DeviceUpdateDecoder().Decode(Message("[]"u8.ToArray(), retain: true, correlation: echo)).Event);
        Assert.True(update.Retained);
        Assert.Equal(ReceivedAt, update.ReceivedAt);
        Assert.Equal(id, update.CommandId);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(17)]
    public void Decode_CorrelationDataOfAnotherLength_IsNoEcho(int length)
    {
        var decoded = new DeviceUpdateDecoder().Decode(Message("[]"u8.ToArray(), correlation: new byte[length]));
        Assert.Null(Assert.IsType<DeviceUpdate>(decoded.Event).CommandId);
    }

    internal static MqttDecoded<DeviceMessage> Decode(byte[] payload) => new DeviceUpdateDecoder().Decode(Message(payload));

    private static MqttDecoded<DeviceMessage> Decode(string payload) => Decode(Encoding.UTF8.GetBytes(payload));

    private static MqttIncomingMessage Message(byte[] payload, string key = "544B3B144B8C", bool retain = false, byte[]? correlation = null) => new()
    {
        Topic = $"device/{key}/pin/update",
        Key = key,
        Payload = payload,
        Retain = retain,
        ReceivedAt = ReceivedAt,
        CorrelationData = correlation ?? [],
    };

    private static PinReading[] Pins(MqttDecoded<DeviceMessage> decoded) => [.. Assert.IsType<DeviceUpdate>(decoded.Event).Pins];

    /// <summary>One line per result: <c>13:3:0 14:-:1 boot=17 seq=42 refused=1 bad_element</c>.</summary>
    private static string Describe(MqttDecoded<DeviceMessage> decoded)
    {
        if (!decoded.HasEvent)
        {
            return $"refused {decoded.Refusal}";
        }

        var update = Assert.IsType<DeviceUpdate>(decoded.Event);
        var parts = update.Pins.Select(pin => string.Create(
            CultureInfo.InvariantCulture, $"{pin.Pin}:{Number((int?)pin.Mode)}:{Number((int?)pin.State)}")).ToList();
        if (update.Boot is { } boot)
        {
            parts.Add($"boot={boot}");
        }

        if (update.Seq is { } seq)
        {
            parts.Add($"seq={seq}");
        }

        if (decoded.RefusedParts > 0)
        {
            parts.Add($"refused={decoded.RefusedParts} {decoded.Refusal}");
        }

        return string.Join(' ', parts);
    }

    private static string Number(int? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "-";
}
