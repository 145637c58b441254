using System.Diagnostics.Metrics;
using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Tests.Streaming.Mqtt.Session;

internal static class TestMetrics
{
    public static MqttStreamMetrics Create() => new(new Factory(), "test");

    private sealed class Factory : IMeterFactory
    {
        public Meter Create(MeterOptions options) => new(options);

        public void Dispose()
        {
        }
    }
}
