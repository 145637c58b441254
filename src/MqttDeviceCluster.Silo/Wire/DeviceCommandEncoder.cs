using System.Globalization;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Makes messages of commands: never retained, gone at the broker when their caller gives up.</summary>
internal sealed class DeviceCommandEncoder(MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce)
    : IMqttEventEncoder<DeviceCommand>
{
    private const string ContentType = "application/json";
    private const string DeadlineProperty = "deadline";

    public MqttOutgoingMessage Encode(string key, DeviceCommand value) => new()
    {
        Payload = CommandPayload.Write(value),
        QualityOfService = qualityOfService,
        Retain = false,
        ExpiresAt = value.Deadline,
        ContentType = ContentType,
        ResponseTopic = DeviceTopics.UpdateOf(key),
        CorrelationData = WireGuid.ToBytes(value.CommandId),
        Withdrawn = value.Withdrawn,
        Sending = value.Sending,
        Traced = value.Traced,
        UserProperties = [new(DeadlineProperty, value.Deadline.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture))],
    };

    public Exception? ToException(string key, DeviceCommand value, MqttPublishResult result) => result.Outcome switch
    {
        MqttPublishOutcome.Accepted => null,
        MqttPublishOutcome.NoMatchingSubscribers => new DeviceOfflineException(key),
        MqttPublishOutcome.Refused => new BrokerUnavailableException(key, result.Reason, refused: true),
        MqttPublishOutcome.NotSent => new BrokerUnavailableException(key, result.Reason, refused: false),
        MqttPublishOutcome.Fenced => new DeviceInterruptedException(key, result.Reason, published: false),
        _ => new DeviceInterruptedException(key, result.Reason, published: true),
    };
}
