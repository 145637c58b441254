using System.Net;
using System.Net.Sockets;
using MqttDeviceCluster.Cli.Connection;

namespace MqttDeviceCluster.Tests.Cli;

/// <summary>The addresses that a watch goes on with while silos come and go.</summary>
public sealed class NamedGatewaysTests
{
    private readonly Dictionary<string, string[]> _names = new() { ["one"] = ["10.0.0.1"], ["two"] = ["10.0.0.2", "10.0.0.3"] };
    private readonly NamedGateways _gateways;

    public NamedGatewaysTests() => _gateways = new([new("one", 30000), new("two", 30001)], TimeSpan.FromSeconds(5), (name, _) => _names.TryGetValue(name, out var addresses)
        ? Task.FromResult(addresses.Select(IPAddress.Parse).ToArray())
        : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound)));

    [Fact]
    public async Task GetGateways_AddressesChange_FollowsThem()
    {
        Assert.Equal(["10.0.0.1:30000", "10.0.0.2:30001", "10.0.0.3:30001"], await GatewaysAsync());

        _names["two"] = ["10.0.0.4"];
        Assert.Equal(["10.0.0.1:30000", "10.0.0.4:30001"], await GatewaysAsync());
    }

    [Fact]
    public async Task GetGateways_ANameHasNoAddressForAWhile_KeepsThoseItHad()
    {
        await GatewaysAsync();

        _names.Remove("two");
        _names["one"] = ["10.0.0.9"];
        Assert.Equal(["10.0.0.9:30000", "10.0.0.2:30001", "10.0.0.3:30001"], await GatewaysAsync());

        _names["one"] = [];
        Assert.Equal(["10.0.0.9:30000", "10.0.0.2:30001", "10.0.0.3:30001"], await GatewaysAsync());

        _names.Clear();
        Assert.Equal(["10.0.0.9:30000", "10.0.0.2:30001", "10.0.0.3:30001"], await GatewaysAsync());
    }

    [Fact]
    public async Task Resolve_OneOfTheNamesIsNotKnown_ReturnsTheOthers()
    {
        _names.Remove("one");
        Assert.Equal(["10.0.0.2:30001", "10.0.0.3:30001"], await GatewaysAsync());
    }

    [Fact]
    public async Task Resolve_NoNameIsKnown_SaysWhichAndWhy()
    {
        _names.Remove("one");
        _names["two"] = [];
        var exception = await Assert.ThrowsAsync<NoClusterException>(() => _gateways.ResolveAsync(TestContext.Current.CancellationToken));
        Assert.StartsWith("no cluster at one:30000, two:30001: one: ", exception.Message, StringComparison.Ordinal);
        Assert.EndsWith("; two: it has no address", exception.Message, StringComparison.Ordinal);
    }

    private async Task<string[]> GatewaysAsync() => [.. (await _gateways.GetGateways()).Select(static gateway => gateway.Authority)];
}
