namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>A published event did not reach the broker, or it is not known whether it did: see <see cref="Outcome"/>.</summary>
[GenerateSerializer, Alias("MqttDeviceCluster.Streaming.Mqtt.MqttPublishException")]
public sealed class MqttPublishException : Exception
{
    /// <summary>Creates the exception.</summary>
    public MqttPublishException(MqttPublishResult result)
        : base($"The message was not published: {result.Reason}.")
    {
        Outcome = result.Outcome;
        ReasonCode = result.ReasonCode;
    }

    /// <summary>Gets what is known.</summary>
    [Id(0)]
    public MqttPublishOutcome Outcome { get; private set; }

    /// <summary>Gets the MQTT 5 reason code; 0 when the broker gave none.</summary>
    [Id(1)]
    public byte ReasonCode { get; private set; }
}
