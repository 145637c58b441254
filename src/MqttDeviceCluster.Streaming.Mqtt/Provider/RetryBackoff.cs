using Orleans.Runtime.Providers;

namespace MqttDeviceCluster.Streaming.Mqtt.Provider;

/// <summary>Doubling delays between attempts to deliver or read. Orleans' own first retry comes after one to two seconds, which is long for a door.</summary>
internal sealed class RetryBackoff(TimeSpan first, TimeSpan most) : IMessageDeliveryBackoffProvider, IQueueReaderBackoffProvider
{
    public TimeSpan Next(int attempt)
    {
        var delay = first * Math.Pow(2, Math.Clamp(attempt, 0, 20));
        return delay < most ? delay : most;
    }
}
