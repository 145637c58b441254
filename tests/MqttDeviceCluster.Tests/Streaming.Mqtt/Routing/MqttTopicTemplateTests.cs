using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Routing;

public sealed class MqttTopicTemplateTests
{
    [Theory]
    [InlineData("device/{key}/pin/update", "device/+/pin/update")]
    [InlineData("{key}", "+")]
    [InlineData("+/{key}/#", "+/+/#")]
    public void Filter_Template_ReplacesTheKeyByAWildcard(string template, string filter) =>
        Assert.Equal(filter, MqttTopicTemplate.Parse(template).Filter);

    [Theory]
    [InlineData("device/{key}/pin/update", "device/0a/pin/update", "0a")]
    [InlineData("device/{key}/pin/update", "device/ü x/pin/update", "ü x")]
    [InlineData("device/{key}/pin/update", "device//pin/update", null)]
    [InlineData("device/{key}/pin/update", "device/a/pin", null)]
    [InlineData("device/{key}/pin/update", "device/a/pin/update/", null)]
    [InlineData("device/{key}/pin/update", "device/a/pin/update/x", null)]
    [InlineData("device/{key}/pin/update", "Device/a/pin/update", null)]
    [InlineData("device/{key}/pin/update", "device/a/b/pin/update", null)]
    [InlineData("{key}/#", "a/b/c", "a")]
    [InlineData("{key}/#", "a", "a")]
    [InlineData("{key}/#", "a/", "a")]
    [InlineData("+/{key}", "x/y", "y")]
    [InlineData("+/{key}", "/y", "y")]
    [InlineData("{key}", "a", "a")]
    [InlineData("device/{id}/x", "device/a/x", "a")]
    [InlineData("{key}", "a/b", null)]
    public void Match_Topic_ReturnsTheKeyOrNull(string template, string topic, string? key) =>
        Assert.Equal(key, MqttTopicTemplate.Parse(template).Match(topic));

    [Theory]
    [InlineData("")]
    [InlineData("device/+/update")]
    [InlineData("{key}/{key}")]
    [InlineData("x{key}/y")]
    [InlineData("{key}/{id}")]
    [InlineData("{}/y")]
    [InlineData("{i d}/y")]
    [InlineData("{key}/#/y")]
    [InlineData("{key}/a+")]
    [InlineData("{key}/a\0")]
    [InlineData("$share/g/{key}")]
    public void Parse_BadTemplate_ThrowsArgumentException(string template) =>
        Assert.Throws<ArgumentException>(() => MqttTopicTemplate.Parse(template));

    [Fact]
    public void Format_Key_FillsTheTemplate() =>
        Assert.Equal("device/0a/pin/set", MqttTopicTemplate.Parse("device/{key}/pin/set").Format("0a"));

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a+")]
    [InlineData("#")]
    [InlineData("a\0")]
    public void Format_KeyThatIsNoTopicLevel_ThrowsArgumentException(string key) =>
        Assert.Throws<ArgumentException>(() => MqttTopicTemplate.Parse("device/{key}/pin/set").Format(key));
}
