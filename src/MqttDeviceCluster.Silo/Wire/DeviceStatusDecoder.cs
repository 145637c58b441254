using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Makes <see cref="DeviceStatus"/> events of what devices, and the broker in their name, publish to <c>device/{id}/status</c>.</summary>
internal sealed class DeviceStatusDecoder : IMqttEventDecoder<DeviceMessage>
{
    public MqttDecoded<DeviceMessage> Decode(MqttIncomingMessage message)
    {
        if (WireLimits.Refuse<DeviceMessage>(message) is { } refused)
        {
            return refused;
        }

        if (message.Payload.IsEmpty)
        {
            // The broker's way to say that someone cleared the retained status: the word is withdrawn, and nothing new is said. It is no status of
            // the device, which may be there or not as before, and no traffic of it either: whoever cleans up after a device that was forgotten
            // must not bring it back.
            return MqttDecoded.Ignore<DeviceMessage>();
        }

        var payload = StatusPayload.Read(message.Payload.Span);
        if (payload.IsRefused)
        {
            return MqttDecoded.Refuse<DeviceMessage>(payload.Refusal!, payload.Detail!);
        }

        message.TryGetTraceContext(out var traceParent, out var traceState);
        var status = new DeviceStatus(message.ReceivedAt, message.Retain, payload.Online)
        {
            Boot = payload.Boot,
            Firmware = payload.Firmware,
            Redelivered = message.Duplicate,
            TraceParent = traceParent,
            TraceState = traceState,
        };
        return payload.RefusedParts == 0
            ? MqttDecoded.Accept<DeviceMessage>(status)
            : MqttDecoded.AcceptPart<DeviceMessage>(status, payload.RefusedParts, payload.Refusal!, payload.Detail!);
    }
}
