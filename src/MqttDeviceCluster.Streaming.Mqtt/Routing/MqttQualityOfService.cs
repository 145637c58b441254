namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>The MQTT delivery guarantees that this provider offers. Exactly once (QoS 2) is not one of them.</summary>
public enum MqttQualityOfService
{
    /// <summary>QoS 0: no acknowledgement, no back-pressure, messages may be lost.</summary>
    AtMostOnce = 0,

    /// <summary>QoS 1: acknowledged, and sometimes delivered twice.</summary>
    AtLeastOnce = 1,
}
