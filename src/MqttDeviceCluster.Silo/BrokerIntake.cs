using Microsoft.Extensions.Options;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo;

/// <summary>The silo hears its devices while its session at the broker is online: an outage of that session is nobody's silence.</summary>
internal sealed class BrokerIntake([FromKeyedServices(DeviceStreams.ProviderName)] IMqttStreamStatus status, IOptionsMonitor<MqttStreamOptions> options) : IDeviceIntake
{
    public bool IsHere => status.Receiving is MqttConnectionState.Online or MqttConnectionState.Connecting;

    public DateTimeOffset? ListeningSince => status.ReceivingSince;

    // A connection that stays silent for one and a half times its keep-alive is given up.
    public TimeSpan OutageDetectionTime => options.Get(DeviceStreams.ProviderName).KeepAlive * 1.5;
}
