using System.Diagnostics;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Provider;
using Orleans.Streams;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Provider;

/// <summary>What the span of a publish says of its end.</summary>
public sealed class MqttQueueAdapterTests
{
    [Theory]
    [InlineData(MqttPublishOutcome.Accepted, 0, false, null, null)]
    [InlineData(MqttPublishOutcome.NoMatchingSubscribers, 0x10, false, null, 0x10)]
    [InlineData(MqttPublishOutcome.NoMatchingSubscribers, 0x10, true, "NoMatchingSubscribers", 0x10)]
    [InlineData(MqttPublishOutcome.Refused, 0x97, true, "Refused", 0x97)]
    [InlineData(MqttPublishOutcome.NotSent, 0, true, "NotSent", null)]
    [InlineData(MqttPublishOutcome.Unknown, 0, true, "Unknown", null)]
    [InlineData(MqttPublishOutcome.Fenced, 0, true, "Fenced", null)]
    public async Task QueueMessageBatchAsync_Outcome_IsOnTheSpan(MqttPublishOutcome outcome, byte code, bool fails, string? error, int? reasonCode)
    {
        FakeBroker broker = new() { OnPublish = (_, _) => new(outcome, code, "what the broker said") };
        MqttQueueAdapter adapter = new("p", StreamProviderDirection.WriteOnly, [new MqttOutgoingRoute<string>("ns", "a/{key}", new Encoder(fails))], broker.CreatePublisher(), null, static _ => null!);
        AsyncLocal<bool> isOurs = new() { Value = true };
        List<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = static source => source.Name == MqttStreamTracing.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => isOurs.Value ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = span =>
            {
                if (isOurs.Value)
                {
                    spans.Add(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);

        var exception = await Record.ExceptionAsync(() => adapter.QueueMessageBatchAsync(StreamId.Create("ns", "b"), ["event"], null, null));

        Assert.Equal(fails, exception is IOException);
        var span = Assert.Single(spans);
        Assert.Equal(("publish a/{key}", ActivityKind.Producer), (span.DisplayName, span.Kind));
        Assert.Equal((error, reasonCode), (span.GetTagItem(MqttStreamTracing.ErrorTag), (int?)span.GetTagItem(MqttStreamTracing.ReasonCodeTag)));
        Assert.Equal(fails ? (ActivityStatusCode.Error, "what the broker said") : (ActivityStatusCode.Unset, null), (span.Status, span.StatusDescription));
    }

    private sealed class Encoder(bool fails) : IMqttEventEncoder<string>
    {
        public MqttOutgoingMessage Encode(string key, string value) => new() { Payload = default };

        public Exception? ToException(string key, string value, MqttPublishResult result) => fails ? new IOException(result.Reason) : null;
    }
}
