using System.Text;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceStatusDecoderTests
{
    private static readonly DateTimeOffset ReceivedAt = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Theory]
    [InlineData("birth", "online boot=17 fw=1.6.0")]
    [InlineData("will", "offline boot=17")]
    [InlineData("word-online", "online")]
    [InlineData("word-offline", "offline")]
    [InlineData("word-with-bom-and-whitespace", "offline")]
    [InlineData("bom-and-whitespace", "online boot=17 fw=1.6.0")]
    [InlineData("extra-fields-any-order", "online boot=17 fw=2.0.0-rc.1+7")]
    [InlineData("online-alone", "online")]
    [InlineData("bad-boot", "online fw=1.6.0 refused=1 bad_status")]
    public void Decode_GoldenPayload_ReadsWhatTheDeviceSaid(string file, string expected) =>
        Assert.Equal(expected, Describe(Decode(Golden.Read("status", file))));

    [Theory]
    [InlineData("Online", "online")]
    [InlineData("OFFLINE\n", "offline")]
    [InlineData("""{"online":true,"boot":null,"fw":null}""", "online")]
    [InlineData("""{"online":true,"fw":""}""", "online")]
    [InlineData("""{"online":false,"boot":1.7e1}""", "offline boot=17")]
    [InlineData("""{"online":true,"boot":9223372036854775807}""", "online boot=9223372036854775807")]
    [InlineData("""{"\u006fnline":true,"fw":"\u0031.6"}""", "online fw=1.6")]
    [InlineData("""{"\ud800":1,"online":true}""", "online")]
    [InlineData("""{"online":false,"online":true,"boot":1,"boot":2}""", "online boot=2")]
    [InlineData("""{"online":"x","online":true}""", "online")]
    [InlineData("""{"online":true,"boot":"x","boot":3}""", "online boot=3")]
    [InlineData("""{"online":true,"fw":"Прошивка 2"}""", "online fw=Прошивка 2")]
    public void Decode_VariantOfAStatus_IsTolerated(string payload, string expected) =>
        Assert.Equal(expected, Describe(Decode(payload)));

    [Theory]
    [InlineData("""{"online":true,"boot":"17"}""", "online", "'boot'")]
    [InlineData("""{"online":false,"boot":17.5}""", "offline", "'boot'")]
    [InlineData("""{"online":true,"boot":99999999999999999999}""", "online", "'boot'")]
    [InlineData("""{"online":true,"boot":[17]}""", "online", "'boot'")]
    [InlineData("""{"online":true,"boot":17,"fw":16}""", "online boot=17", "'fw' is not a string")]
    [InlineData("""{"online":true,"boot":17,"fw":{"major":1}}""", "online boot=17", "'fw' is not a string")]
    [InlineData("""{"online":true,"fw":"1.6\u001b[31m"}""", "online", "'fw' has control characters")]
    [InlineData("""{"online":true,"fw":"\ud800"}""", "online", "'fw' is not Unicode text")]
    public void Decode_BadField_CostsThatFieldOnly(string payload, string expected, string problem)
    {
        var decoded = Decode(payload);
        Assert.Equal(expected + " refused=1 bad_status", Describe(decoded));
        Assert.Contains(problem, decoded.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_BothFieldsBad_CountsTwo() =>
        Assert.Equal("online refused=2 bad_status", Describe(Decode("""{"fw":1,"boot":"x","online":true}""")));

    [Fact]
    public void Decode_Firmware_Is128BytesAtMost()
    {
        Assert.Equal("online fw=" + new string('x', 128), Describe(Decode($$"""{"online":true,"fw":"{{new string('x', 128)}}"}""")));
        Assert.Equal("online refused=1 bad_status", Describe(Decode($$"""{"online":true,"fw":"{{new string('x', 129)}}"}""")));
        Assert.Equal("online refused=1 bad_status", Describe(Decode($$"""{"online":true,"fw":"{{new string('ж', 65)}}"}""")));
        Assert.Equal("online refused=1 bad_status", Describe(Decode($$"""{"online":true,"fw":"{{new string('x', 60_000)}}"}""")));
        var escaped = string.Concat(Enumerable.Repeat("\\u0078", 128));
        Assert.Equal("online fw=" + new string('x', 128), Describe(Decode($$"""{"online":true,"fw":"{{escaped}}"}""")));
    }

    [Theory]
    [InlineData("on", "not_json")]
    [InlineData("onlin", "not_json")]
    [InlineData("online offline", "not_json")]
    [InlineData("onl ine", "not_json")]
    [InlineData(" ", "not_json")]
    [InlineData("{", "not_json")]
    [InlineData("""{"online":true""", "not_json")]
    [InlineData("""{"online":true} {"online":false}""", "not_json")]
    [InlineData("""{"online":true,}""", "not_json")]
    [InlineData("""{"online":True}""", "not_json")]
    [InlineData("null", "not_a_status")]
    [InlineData("true", "not_a_status")]
    [InlineData("1", "not_a_status")]
    [InlineData("\"online\"", "not_a_status")]
    [InlineData("[]", "not_a_status")]
    [InlineData("""[{"online":true}]""", "not_a_status")]
    [InlineData("{}", "not_a_status")]
    [InlineData("""{"boot":17,"fw":"1.6.0"}""", "not_a_status")]
    [InlineData("""{"online":1}""", "not_a_status")]
    [InlineData("""{"online":"true"}""", "not_a_status")]
    [InlineData("""{"online":null}""", "not_a_status")]
    [InlineData("""{"online":{"online":true}}""", "not_a_status")]
    [InlineData("""{"online":true,"online":0}""", "not_a_status")]
    [InlineData("""{"Online":true}""", "not_a_status")]
    public void Decode_NotAStatus_IsRefusedWhole(string payload, string reason)
    {
        var decoded = Decode(payload);
        Assert.Equal($"refused {reason}", Describe(decoded));
        Assert.False(string.IsNullOrWhiteSpace(decoded.Detail));
    }

    [Fact]
    public void Decode_EmptyPayload_IsNeitherAStatusNorAnError()
    {
        var decoded = Decode(Array.Empty<byte>());
        Assert.True(decoded.IsIgnored);
        Assert.False(decoded.HasEvent);
        Assert.Null(decoded.Refusal);
    }

    [Theory]
    [InlineData(new byte[] { 0xef, 0xbb, 0xbf })]
    [InlineData(new byte[] { 0xff, 0xfe })]
    [InlineData(new byte[] { 0 })]
    [InlineData(new byte[] { (byte)'o', (byte)'n', (byte)'l', (byte)'i', (byte)'n', (byte)'e', 0 })]
    public void Decode_BytesThatAreNoText_AreRefused(byte[] payload) => Assert.Equal("refused not_json", Describe(Decode(payload)));

    [Fact]
    public void Decode_InvalidUtf8_CostsTheFieldItIsIn()
    {
        byte[] ignored = [.. "{\"name\":\""u8, 0xc3, 0x28, .. "\",\"online\":true}"u8];
        Assert.Equal("online", Describe(Decode(ignored)));
        byte[] firmware = [.. "{\"fw\":\""u8, 0xc3, 0x28, .. "\",\"online\":true}"u8];
        Assert.Equal("online refused=1 bad_status", Describe(Decode(firmware)));
    }

    [Theory]
    [InlineData(65)]
    [InlineData(60_000)]
    public void Decode_DepthBomb_IsRefused(int depth) =>
        Assert.Equal("refused not_json", Describe(Decode("""{"online":true,"x":""" + new string('[', depth))));

    [Fact]
    public void Decode_SizeLimit_Is64KiB()
    {
        Assert.Equal("online", Describe(Decode("online".PadRight(64 * 1024))));
        Assert.Equal("refused too_large", Describe(Decode("online".PadRight((64 * 1024) + 1))));
    }

    [Theory]
    [InlineData("a\nb")]
    [InlineData("")]
    public void Decode_BadDeviceId_IsRefused(string key)
    {
        Assert.Equal("refused bad_device_id", Describe(new DeviceStatusDecoder().Decode(Message("online"u8.ToArray(), key: key))));
        Assert.Equal("refused bad_device_id", Describe(new DeviceStatusDecoder().Decode(Message([], key: key))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Decode_Message_CarriesRetainDuplicateAndTime(bool retain)
    {
        var status = Assert.IsType<DeviceStatus>(new DeviceStatusDecoder().Decode(Message("online"u8.ToArray(), retain, duplicate: !retain)).Event);
        Assert.Equal((retain, !retain), (status.Retained, status.Redelivered));
        Assert.Equal(ReceivedAt, status.ReceivedAt);
    }

    internal static MqttDecoded<DeviceMessage> Decode(byte[] payload) => new DeviceStatusDecoder().Decode(Message(payload));

    private static MqttDecoded<DeviceMessage> Decode(string payload) => Decode(Encoding.UTF8.GetBytes(payload));

    private static MqttIncomingMessage Message(byte[] payload, bool retain = false, string key = "544B3B144B8C", bool duplicate = false) => new()
    {
        Topic = $"device/{key}/status",
        Key = key,
        Payload = payload,
        Retain = retain,
        Duplicate = duplicate,
        ReceivedAt = ReceivedAt,
    };

    /// <summary>One line per result: <c>online boot=17 fw=1.6.0 refused=1 bad_status</c>.</summary>
    private static string Describe(MqttDecoded<DeviceMessage> decoded)
    {
        if (!decoded.HasEvent)
        {
            return decoded.IsIgnored ? "ignored" : $"refused {decoded.Refusal}";
        }

        var status = Assert.IsType<DeviceStatus>(decoded.Event);
        return (status.Online ? "online" : "offline")
            + (status.Boot is { } boot ? FormattableString.Invariant($" boot={boot}") : "")
            + (status.Firmware is { } firmware ? $" fw={firmware}" : "")
            + (decoded.RefusedParts > 0 ? FormattableString.Invariant($" refused={decoded.RefusedParts} {decoded.Refusal}") : "");
    }
}
