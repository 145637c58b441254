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
                (DeviceStreams.Messages, "device/{id}/pin/update"),
                (DeviceStreams.Messages, "device/{id}/status"),
                (DeviceStreams.ConfigPins, "device/{id}/pin/config"),
                (DeviceStreams.SetPins, "device/{id}/pin/set"),
                (DeviceStreams.Update, "device/{id}/pin/get"),
            ],
            routes.Select(route => (route.StreamNamespace, route.TopicTemplate)));
        Assert.IsType<MqttOutgoingRoute<ConfigPinsCommand>>(routes[2]);
        Assert.IsType<MqttOutgoingRoute<SetPinsCommand>>(routes[3]);
        Assert.IsType<MqttOutgoingRoute<UpdateCommand>>(routes[4]);
    }

    [Fact]
    public void Create_UpdateAndStatus_ShareStreamConnectionAndQualityOfService()
    {
        // Anything else, and a device's last update could overtake its last will.
        var incoming = DeviceRoutes.Create().OfType<MqttIncomingRoute>().ToList();
        Assert.Equal(2, incoming.Count);
        Assert.Single(incoming.Select(route => (route.StreamNamespace, route.Connection, route.QualityOfService)).Distinct());
        Assert.Equal(MqttQualityOfService.AtLeastOnce, incoming[0].QualityOfService);
        Assert.Equal("544B3B144B8C", incoming[1].Template.Match("device/544B3B144B8C/status"));
        Assert.Null(incoming[1].Template.Match("device/544B3B144B8C/pin/update"));
        Assert.Null(incoming[0].Template.Match("device/544B3B144B8C/status"));
    }

    [Fact]
    public void Create_Routes_PassTheProvidersChecks()
    {
        MqttStreamOptions options = new() { ConnectionString = "mqtt://localhost" };
        foreach (var route in DeviceRoutes.Create())
        {
            options.Routes.Add(route);
        }

        new MqttStreamOptionsValidator(options, null, "mqtt").ValidateConfiguration();
    }
}
