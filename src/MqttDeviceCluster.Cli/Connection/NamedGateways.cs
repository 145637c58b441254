using System.Net;
using System.Net.Sockets;
using MqttDeviceCluster.Cli.Parsing;
using Orleans.Messaging;

namespace MqttDeviceCluster.Cli.Connection;

/// <summary>
/// The gateways that names stand for now: behind a headless Service of Kubernetes there are other addresses after each rollout.
/// </summary>
/// <param name="gateways">The names.</param>
/// <param name="known">The addresses that they had at the start.</param>
/// <param name="refresh">How often the names are asked for again.</param>
internal sealed class NamedGateways(IReadOnlyList<Gateway> gateways, IReadOnlyList<IPEndPoint> known, TimeSpan refresh) : IGatewayListProvider
{
    private IReadOnlyList<IPEndPoint> _known = known;

    public TimeSpan MaxStaleness => refresh;

    public bool IsUpdatable => true;

    /// <summary>Returns the addresses of all names that have some.</summary>
    /// <exception cref="NoClusterException">None has.</exception>
    public static async Task<IReadOnlyList<IPEndPoint>> ResolveAsync(IReadOnlyList<Gateway> gateways, CancellationToken cancellationToken)
    {
        List<IPEndPoint> endpoints = [];
        List<string> problems = [];
        foreach (var gateway in gateways)
        {
            try
            {
                var addresses = await Dns.GetHostAddressesAsync(gateway.Host, cancellationToken).ConfigureAwait(false);
                endpoints.AddRange(addresses.Select(address => new IPEndPoint(address, gateway.Port)));
            }
            catch (SocketException exception)
            {
                problems.Add($"{gateway.Host}: {FirstLine(exception.Message)}");
            }
        }

        return endpoints.Count > 0
            ? endpoints
            : throw new NoClusterException($"no cluster at {Names(gateways)}: {string.Join("; ", problems)}");
    }

    public static string Names(IReadOnlyList<Gateway> gateways) => string.Join(", ", gateways);

    public static string FirstLine(string text) => text.ReplaceLineEndings("\n").Split('\n')[0].TrimEnd('.');

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways()
    {
        try
        {
            _known = await ResolveAsync(gateways, CancellationToken.None).ConfigureAwait(false);
        }
        catch (NoClusterException)
        {
            // While no silo is ready a headless Service has no address at all: those of before are as good as any.
        }

        return [.. _known.Select(static endpoint => endpoint.ToGatewayUri())];
    }
}
