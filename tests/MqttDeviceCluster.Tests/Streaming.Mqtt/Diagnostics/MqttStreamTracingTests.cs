using System.Diagnostics;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Diagnostics;

public sealed class MqttStreamTracingTests
{
    private const string Valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Theory]
    [InlineData(null, null, false)]
    [InlineData("", null, false)]
    [InlineData("garbage", null, false)]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01", null, false)]
    [InlineData(Valid, null, true)]
    [InlineData(Valid, "vendor=1", true)]
    public void TraceContext_OfAMessage_IsReadIfItIsValid(string? traceParent, string? traceState, bool expected)
    {
        var message = Message([.. new[] { ("traceparent", traceParent), ("tracestate", traceState) }.Where(pair => pair.Item2 is not null).Select(pair => (pair.Item1, pair.Item2!))]);

        Assert.Equal(expected, message.TryGetTraceContext(out var parent, out var state));
        Assert.Equal(expected ? (traceParent, traceState) : default, (parent, state));
    }

    [Fact]
    public void TraceContext_GivenTwice_IsNone() =>
        Assert.False(Message(("traceparent", Valid), ("traceparent", Valid)).TryGetTraceContext(out _, out _));

    [Fact]
    public void TraceContext_StateIsTooLong_IsLeftOut()
    {
        Assert.True(Message(("traceparent", Valid), ("tracestate", new string('x', 513))).TryGetTraceContext(out _, out var state));
        Assert.Null(state);
    }

    [Fact]
    public void StartProcess_NobodyListens_IsNothing()
    {
        var current = Activity.Current;

        Assert.Null(MqttStreamTracing.StartProcess("a/{key}", "a/b"));
        Assert.Same(current, Activity.Current);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void StartPublish_LeftOutByTheSampler_HasAContextOnlyBelowAnother(bool hasParent, bool expected)
    {
        AsyncLocal<bool> isOurs = new() { Value = true };
        using ActivityListener listener = new()
        {
            ShouldListenTo = static source => source.Name == MqttStreamTracing.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => isOurs.Value ? ActivitySamplingResult.PropagationData : ActivitySamplingResult.None,
        };
        ActivitySource.AddActivityListener(listener);
        Activity.Current = null;
        using var parent = hasParent ? new Activity("caller").SetIdFormat(ActivityIdFormat.W3C).Start() : null;

        using var publish = MqttStreamTracing.StartPublish(new MqttOutgoingRoute<string>("ns", "a/{key}", new Encoder()), "a/b", new() { Payload = default }, null);

        Assert.Equal(expected, publish is not null);
        Assert.Equal(expected, Activity.Current is not null);
    }

    private static MqttIncomingMessage Message(params (string Name, string Value)[] properties) => new()
    {
        Topic = "a/b",
        Payload = default,
        UserProperties = [.. properties.Select(property => KeyValuePair.Create(property.Name, property.Value))],
    };

    private sealed class Encoder : IMqttEventEncoder<string>
    {
        public MqttOutgoingMessage Encode(string key, string value) => new() { Payload = default };
    }
}
