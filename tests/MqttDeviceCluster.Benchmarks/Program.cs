using System.CommandLine;
using MqttDeviceCluster.Benchmarks.Compare;
using MqttDeviceCluster.Benchmarks.Devices;
using MqttDeviceCluster.Benchmarks.Fleet;
using MqttDeviceCluster.Benchmarks.Machine;
using MqttDeviceCluster.Benchmarks.Micro;

return await new RootCommand("Measures MqttDeviceCluster: the service beside the floor it stands on, and its parts.")
{
    CompareCommand.Create(),
    TracingCommand.Create(),
    SideCommand.Create(),
    FleetCommand.Create(),
    MicroCommand.Create(),
    DeviceCommand.Create(),
    SiloCommand.Create(),
}.Parse(args).InvokeAsync();
