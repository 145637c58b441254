using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streams;

namespace MqttDeviceCluster.Silo.Wire;

/// <summary>Which topic of a device is which stream of its grain.</summary>
internal static class DeviceRoutes
{
    /// <summary>Returns the routes of the device protocol.</summary>
    /// <param name="commandQualityOfService">The quality of service of commands.</param>
    public static IReadOnlyList<MqttRoute> Create(MqttQualityOfService commandQualityOfService = MqttQualityOfService.AtLeastOnce)
    {
        var encoder = new DeviceCommandEncoder(commandQualityOfService);
        return
        [
            MqttRoute.FromTopic(DeviceTopics.Update, DeviceStreams.Messages, new DeviceUpdateDecoder()),

            // The same stream, connection and quality of service as the updates: what a device says on both topics stays in order.
            MqttRoute.FromTopic(DeviceTopics.Status, DeviceStreams.Messages, new DeviceStatusDecoder()),
            MqttRoute.ToTopic<ConfigPinsCommand>(DeviceStreams.ConfigPins, DeviceTopics.Config, encoder),
            MqttRoute.ToTopic<SetPinsCommand>(DeviceStreams.SetPins, DeviceTopics.Set, encoder),
            MqttRoute.ToTopic<UpdateCommand>(DeviceStreams.Update, DeviceTopics.Get, encoder),
        ];
    }
}
