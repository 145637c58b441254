namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>Why the provider itself refuses or gives up a message. Decoders add their own reasons. Used as metric tags: a small fixed set.</summary>
internal static class MqttRefusal
{
    public const string NoRoute = "no_route";
    public const string PayloadTooLarge = "payload_too_large";
    public const string DecoderError = "decoder_error";
    public const string DeliveryFailed = "delivery_failed";
    public const string DeliveryTimedOut = "delivery_timeout";
    public const string ConsumerFailing = "consumer_failing";
    public const string NoConsumer = "no_consumer";
}
