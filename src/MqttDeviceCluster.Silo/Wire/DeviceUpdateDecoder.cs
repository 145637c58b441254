using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Makes <see cref="DeviceUpdate"/> events of what devices publish to <c>device/{id}/pin/update</c>.</summary>
internal sealed class DeviceUpdateDecoder : IMqttEventDecoder<DeviceMessage>
{
    public MqttDecoded<DeviceMessage> Decode(MqttIncomingMessage message)
    {
        if (WireLimits.Refuse<DeviceMessage>(message) is { } refused)
        {
            return refused;
        }

        var payload = UpdatePayload.Read(message.Payload.Span);
        if (payload.IsRefused)
        {
            return MqttDecoded.Refuse<DeviceMessage>(payload.Refusal!, payload.Detail!);
        }

        message.TryGetTraceContext(out var traceParent, out var traceState);
        var update = new DeviceUpdate(message.ReceivedAt, message.Retain, payload.Pins)
        {
            Boot = payload.Boot,
            Seq = payload.Seq,
            CommandId = WireGuid.FromBytes(message.CorrelationData.Span),
            Redelivered = message.Duplicate,
            TraceParent = traceParent,
            TraceState = traceState,
        };
        return payload.RefusedParts == 0
            ? MqttDecoded.Accept<DeviceMessage>(update)
            : MqttDecoded.AcceptPart<DeviceMessage>(update, payload.RefusedParts, payload.Refusal!, payload.Detail!);
    }
}
