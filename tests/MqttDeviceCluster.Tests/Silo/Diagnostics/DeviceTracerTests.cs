using System.Diagnostics;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Diagnostics;

public sealed class DeviceTracerTests
{
    private const string TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Theory]
    [InlineData("vendor=1,other=2", "vendor=1,other=2")]
    [InlineData("vendor=1,\u001b[31m=2", "vendor=1")]
    [InlineData("vendor=1\r\nx: y", "")]
    [InlineData("no pair", "")]
    public void Start_TraceStateOfADevice_GoesOnOnlyAsFarAsItIsOne(string sent, string linked)
    {
        using var span = Start(new DeviceUpdate(DateTimeOffset.UnixEpoch, false, []) { TraceParent = TraceParent, TraceState = sent });

        var link = Assert.Single(span.Links);
        Assert.Equal(TraceParent, $"00-{link.Context.TraceId}-{link.Context.SpanId}-01");
        Assert.Equal(linked, link.Context.TraceState ?? "");
        Assert.NotEqual(link.Context.TraceId, span.TraceId);
    }

    [Theory]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("nonsense")]
    [InlineData(null)]
    public void Start_ContextThatIsNone_IsNotLinked(string? sent)
    {
        using var span = Start(new DeviceStatus(DateTimeOffset.UnixEpoch, false, true) { TraceParent = sent, TraceState = "vendor=1" });

        Assert.Empty(span.Links);
    }

    private static Activity Start(DeviceMessage message)
    {
        // Other tests run meanwhile, and a listener hears all of the process.
        AsyncLocal<bool> isOurs = new() { Value = true };
        using ActivityListener listener = new()
        {
            ShouldListenTo = static source => source.Name == MqttStreamTracing.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => isOurs.Value ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
        };
        ActivitySource.AddActivityListener(listener);
        return new DeviceTracer(1).Start("a", message, default)!;
    }
}
