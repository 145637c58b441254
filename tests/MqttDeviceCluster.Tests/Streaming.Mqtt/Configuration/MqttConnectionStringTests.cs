using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Configuration;

public sealed class MqttConnectionStringTests
{
    [Theory]
    [InlineData("mqtt://broker", "broker", 1883, false, false, "mqtt://broker:1883")]
    [InlineData("MQTTS://broker", "broker", 8883, true, false, "mqtts://broker:8883")]
    [InlineData("ws://broker/mqtt", "broker", 80, false, true, "ws://broker:80")]
    [InlineData("wss://broker:9001/a?b=c", "broker", 9001, true, true, "wss://broker:9001")]
    [InlineData("mqtt://[::1]:1884/", "::1", 1884, false, false, "mqtt://[::1]:1884")]
    [InlineData("mqtt://[fe80::1]", "fe80::1", 1883, false, false, "mqtt://[fe80::1]:1883")]
    [InlineData("mqtt://10.0.0.1", "10.0.0.1", 1883, false, false, "mqtt://10.0.0.1:1883")]
    public void Parse_Valid_GivesItsParts(string text, string host, int port, bool tls, bool webSocket, string shown)
    {
        var parsed = MqttConnectionString.Parse(text);

        Assert.Equal((host, port, tls, webSocket, shown), (parsed.Host, parsed.Port, parsed.UseTls, parsed.UseWebSocket, parsed.ToString()));
    }

    [Fact]
    public void Parse_UserInfo_IsDecodedAndNotShown()
    {
        var parsed = MqttConnectionString.Parse("mqtt://us%40er:p%3A%2F%23w@broker:1");

        Assert.Equal(("us@er", "p:/#w"), (parsed.UserName, parsed.Password));
        Assert.Equal("mqtt://broker:1", parsed.ToString());
    }

    [Fact]
    public void Parse_Path_IsKeptForWebSocket() =>
        Assert.Equal("/a?b=c", MqttConnectionString.Parse("wss://broker/a?b=c").PathAndQuery);

    [Theory]
    [InlineData("")]
    [InlineData("broker:1883")]
    [InlineData("http://user:s3cret@broker")]
    [InlineData("mqtt://user:s3cret@")]
    [InlineData("mqtt://user:s3cret@broker:0")]
    [InlineData("mqtt://user:s 3cret@broker")]
    [InlineData("mqtt://user:s3cret@broker:port")]
    [InlineData("mqtt://user:s3cret@broker/path")]
    [InlineData("mqtt://user:s/3cret@broker")]
    [InlineData("mqtt://user:12/s3cret@broker")]
    [InlineData("ws://user:12/s3cret@broker/mqtt")]
    [InlineData("ws://user:12#s3cret@broker/mqtt")]
    [InlineData("ws://user:12?s3cret@broker/mqtt")]
    public void Parse_Invalid_ThrowsWithoutSecret(string text)
    {
        var exception = Assert.Throws<FormatException>(() => MqttConnectionString.Parse(text));

        Assert.DoesNotContain("3cret", exception.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("The MQTT connection string is not valid: ", exception.Message, StringComparison.Ordinal);
    }
}
