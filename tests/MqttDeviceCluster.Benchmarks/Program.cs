using System.CommandLine;
using MqttDeviceCluster.Benchmarks.Compare;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Micro;

return await new RootCommand("Measures MqttDeviceCluster: the service beside the floor it stands on, and its parts.")
{
    CompareCommand.Create(),
    MicroCommand.Create(),
    DeviceCommand.Create(),
}.Parse(args).InvokeAsync();
