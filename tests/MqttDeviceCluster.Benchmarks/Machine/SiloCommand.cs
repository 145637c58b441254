using System.CommandLine;
using MqttDeviceCluster.Silo.Hosting;

namespace MqttDeviceCluster.Benchmarks.Machine;

/// <summary>The verb <c>silo</c>: the silo's own program, for rows in which it has a process of its own.</summary>
internal static class SiloCommand
{
    public static Command Create()
    {
        Argument<string[]> settings = new("settings");
        Command command = new("silo", "The silo, in a process of its own.") { settings };
        command.TreatUnmatchedTokensAsErrors = false;
        command.Hidden = true;
        command.SetAction(parsed => SiloHost.RunAsync([.. parsed.UnmatchedTokens, .. parsed.GetValue(settings) ?? []], Console.Out, Console.Error));
        return command;
    }
}
