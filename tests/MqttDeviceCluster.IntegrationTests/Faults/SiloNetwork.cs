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

    private const string Prefix = "mdcs";

    private readonly string _name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}");

    private string Cable => $"{_name}o";

    /// <summary>Gets the command that runs another one inside.</summary>
    public IReadOnlyList<string> Launcher => ["nsenter", $"--net={Path.Combine(Ip.Names, _name)}"];

    public static async Task<SiloNetwork> CreateAsync()
    {
        SiloNetwork network = new();
        await Ip.RemoveLeftoversAsync(Prefix);
        await Ip.AddNamespaceOrSkipAsync(network._name);
        try
        {
            await Ip.RunAsync("link", "add", network.Cable, "type", "veth", "peer", "name", "silo", "netns", network._name);
            await Ip.RunAsync("addr", "add", $"{Outside}/30", "dev", network.Cable);
            await Ip.RunAsync("link", "set", network.Cable, "up");
            await Ip.RunAsync("-n", network._name, "addr", "add", $"{Inside}/30", "dev", "silo");
            await Ip.RunAsync("-n", network._name, "link", "set", "silo", "up");
            await Ip.RunAsync("-n", network._name, "link", "set", "lo", "up");
            return network;
        }
        catch (Exception)
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>Pulls the cable: packets are lost both ways, without a word to anyone.</summary>
    public Task CutAsync() => Ip.RunAsync("-n", _name, "link", "set", "silo", "down");

    /// <summary>Puts it back.</summary>
    public Task HealAsync() => Ip.RunAsync("-n", _name, "link", "set", "silo", "up");

    public async ValueTask DisposeAsync()
    {
        // The cable goes with the namespace.
        await Ip.RunAsync("netns", "del", _name);
    }
}
