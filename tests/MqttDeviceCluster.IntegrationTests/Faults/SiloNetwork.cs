using System.Diagnostics;
using System.Globalization;

namespace MqttDeviceCluster.IntegrationTests.Faults;

/// <summary>
/// A network namespace with a cable to this one, which can be pulled: what runs inside keeps its connections, and nothing passes. Needs root; a test is skipped where it cannot be
/// made, also when CI is set: a container may forbid it.
/// </summary>
internal sealed class SiloNetwork : IAsyncDisposable
{
    /// <summary>The address at this end of the cable.</summary>
    public const string Outside = "10.213.77.1";

    /// <summary>The address at the end inside.</summary>
    public const string Inside = "10.213.77.2";

    private readonly string _name = string.Create(CultureInfo.InvariantCulture, $"mdc{Environment.ProcessId}");

    private string Cable => $"{_name}o";

    /// <summary>Gets the command that runs another one inside.</summary>
    public IReadOnlyList<string> Launcher => ["nsenter", $"--net=/var/run/netns/{_name}"];

    public static async Task<SiloNetwork> CreateAsync()
    {
        SiloNetwork network = new();
        if (!Environment.IsPrivilegedProcess || !File.Exists("/usr/sbin/ip"))
        {
            Assert.Skip("A network namespace needs root and iproute2.");
        }

        if (await IpAsync("netns", "add", network._name) is { } problem)
        {
            Assert.Skip($"A network namespace cannot be made here: {problem}");
        }

        try
        {
            await RunAsync("link", "add", network.Cable, "type", "veth", "peer", "name", "silo", "netns", network._name);
            await RunAsync("addr", "add", $"{Outside}/30", "dev", network.Cable);
            await RunAsync("link", "set", network.Cable, "up");
            await RunAsync("-n", network._name, "addr", "add", $"{Inside}/30", "dev", "silo");
            await RunAsync("-n", network._name, "link", "set", "silo", "up");
            await RunAsync("-n", network._name, "link", "set", "lo", "up");
            return network;
        }
        catch (Exception)
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>Pulls the cable: packets are lost both ways, without a word to anyone.</summary>
    public Task CutAsync() => RunAsync("-n", _name, "link", "set", "silo", "down");

    /// <summary>Puts it back.</summary>
    public Task HealAsync() => RunAsync("-n", _name, "link", "set", "silo", "up");

    public async ValueTask DisposeAsync()
    {
        // The cable goes with the namespace.
        await RunAsync("netns", "del", _name);
    }

    private static async Task RunAsync(params string[] arguments)
    {
        if (await IpAsync(arguments) is { } problem)
        {
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {problem}");
        }
    }

    // Returns what went wrong.
    private static async Task<string?> IpAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? null : error.Trim();
    }
}
