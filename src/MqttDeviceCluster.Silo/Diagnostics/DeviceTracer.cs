using System.Diagnostics;
using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;
using OpenTelemetry;

namespace MqttDeviceCluster.Silo.Diagnostics;

/// <summary>Makes the spans of what devices send: always for the answer to a traced command, and for a share of all else.</summary>
internal sealed class DeviceTracer(double updateSamplingRatio) : IDeviceTracer
{
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
        ActivityContext? sender = ActivityContext.TryParse(message.TraceParent, message.TraceState, isRemote: true, out var context) ? context : null;
        var span = MqttStreamTracing.StartProcess(template, topic, sender, command);
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
}
