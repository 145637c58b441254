using System.Diagnostics;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using OpenTelemetry;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>Makes the spans of what devices send: always for the answer to a traced command, and for a share of all else.</summary>
internal sealed class DeviceTracer(double updateSamplingRatio) : IDeviceTracer
{
    private static readonly DistributedContextPropagator Propagator = DistributedContextPropagator.CreateW3CPropagator();

    public Activity? Start(string deviceId, DeviceMessage message, ActivityContext command)
    {
        // Decided here and not by the sampler, which is asked when there is half a span already: at thousands of messages a second that is too late.
        if (command == default ? Random.Shared.NextDouble() >= updateSamplingRatio : !command.TraceFlags.HasFlag(ActivityTraceFlags.Recorded))
        {
            return null;
        }

        var (template, topic) = message is DeviceStatus
            ? (DeviceTopics.Status, DeviceTopics.StatusOf(deviceId))
            : (DeviceTopics.Update, DeviceTopics.UpdateOf(deviceId));
        var span = MqttStreamTracing.StartProcess(template, topic, SenderOf(message), command);
        if (span is { IsAllDataRequested: true })
        {
            if (message.Retained)
            {
                span.SetTag(MqttStreamTracing.RetainTag, true);
            }

            if (message.Redelivered)
            {
                span.SetTag(MqttStreamTracing.DuplicateTag, true);
            }
        }

        return span;
    }

    public IDisposable Suppress() => SuppressInstrumentationScope.Begin();

    // What a stranger sends goes on to collectors that are stricter than any device: the propagator keeps of a trace state what is one.
    private static ActivityContext? SenderOf(DeviceMessage message)
    {
        Propagator.ExtractTraceIdAndState(message, Read, out var traceParent, out var traceState);
        return ActivityContext.TryParse(traceParent, traceState, isRemote: true, out var context) ? context : null;
    }

    private static void Read(object? message, string name, out string? value, out IEnumerable<string>? values) =>
        (value, values) = (name == "traceparent" ? ((DeviceMessage)message!).TraceParent : ((DeviceMessage)message!).TraceState, null);
}
