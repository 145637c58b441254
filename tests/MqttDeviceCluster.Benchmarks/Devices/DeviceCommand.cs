using System.CommandLine;

namespace MqttDeviceCluster.Benchmarks.Devices;

/// <summary>The verb <c>devices</c>, which <c>compare</c> starts as a process of its own.</summary>
internal static class DeviceCommand
{
    public static Command Create()
    {
        Option<string> broker = new("--broker") { Required = true };
        Command command = new("devices", "The simulated devices of 'compare'.") { broker };
        command.Hidden = true;
        command.SetAction((parsed, cancellationToken) => DeviceHost.RunAsync(parsed.GetRequiredValue(broker), Console.In, Console.Out, cancellationToken));
        return command;
    }
}
