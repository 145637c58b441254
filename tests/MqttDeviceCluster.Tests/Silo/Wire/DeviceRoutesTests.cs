using MqttDeviceCluster.Silo.Wire;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Tests.Silo.Wire;

public sealed class DeviceRoutesTests
{
    [Fact]
    public void Create_Routes_CoverTheProtocol()
    {
        var routes = DeviceRoutes.Create();
        Assert.Equal(
            [
                (DeviceStreams.Messages, "device/{key}/pin/update"),
                (DeviceStreams.ConfigPins, "device/{key}/pin/config"),
                (DeviceStreams.SetPins, "device/{key}/pin/set"),
                (DeviceStreams.Update, "device/{key}/pin/get"),
            ],
            routes.Select(route => (route.StreamNamespace, route.TopicTemplate)));
        Assert.IsType<MqttOutgoingRoute<ConfigPinsCommand>>(routes[1]);
        Assert.IsType<MqttOutgoingRoute<SetPinsCommand>>(routes[2]);
        Assert.IsType<MqttOutgoingRoute<UpdateCommand>>(routes[3]);
        Assert.Equal(MqttQualityOfService.AtLeastOnce, Assert.Single(routes.OfType<MqttIncomingRoute>()).QualityOfService);
    }
}
