using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using MqttDeviceCluster.IntegrationTests.Faults;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>
/// A network as pods have it: each in a namespace of its own with an address of its own, all on one bridge. Needs root; a test is skipped where it cannot be made, also when CI is
/// set: a container may forbid it.
/// </summary>
internal sealed class PodNetwork : IAsyncDisposable
{
    /// <summary>The address of this side, where servers may listen for pods.</summary>
    public static readonly IPAddress Outside = IPAddress.Parse("10.213.78.1");

    private const string Prefix = "mdcp";

    private readonly string _name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}");
    private readonly ConcurrentQueue<string> _namespaces = [];
    private int _pods;

    public static async Task<PodNetwork> CreateAsync()
    {
        PodNetwork network = new();
        await Ip.RemoveLeftoversAsync(Prefix);

        // One of no pod tells whether there can be any.
        var probe = network.NameOf(0);
        await Ip.AddNamespaceOrSkipAsync(probe);
        network._namespaces.Enqueue(probe);
        try
        {
            await Ip.RunAsync("link", "add", network._name, "type", "bridge");
            await Ip.RunAsync("addr", "add", $"{Outside}/24", "dev", network._name);
            await Ip.RunAsync("link", "set", network._name, "up");
            return network;
        }
        catch (Exception)
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a namespace for one more pod; returns its name and its address.</summary>
    public async Task<(string Namespace, IPAddress Address)> AddPodAsync()
    {
        var number = Interlocked.Increment(ref _pods);
        var name = NameOf(number);
        await Ip.RunAsync("netns", "add", name);
        _namespaces.Enqueue(name);
        var cable = string.Create(CultureInfo.InvariantCulture, $"{_name}v{number}");
        IPAddress address = new([.. Outside.GetAddressBytes().Take(3), (byte)(10 + number)]);
        await Ip.RunAsync("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name);
        await Ip.RunAsync("link", "set", cable, "master", _name, "up");
        await Ip.RunAsync("-n", name, "addr", "add", $"{address}/24", "dev", "eth0");
        await Ip.RunAsync("-n", name, "link", "set", "eth0", "up");
        await Ip.RunAsync("-n", name, "link", "set", "lo", "up");
        return (name, address);
    }

    public async ValueTask DisposeAsync()
    {
        // The cables go with the namespaces.
        foreach (var name in _namespaces)
        {
            await Ip.RunAsync("netns", "del", name);
        }

        await Ip.RunAsync("link", "del", _name);
    }

    private string NameOf(int pod) => string.Create(CultureInfo.InvariantCulture, $"{_name}n{pod}");
}
