using System.Net;
using System.Net.Sockets;
using MqttDeviceCluster.Cli.Parsing;
using Orleans.Messaging;

namespace MqttDeviceCluster.Cli.Connection;

/// <summary>
/// The gateways that names stand for now: behind a headless Service of Kubernetes there are other addresses after each rollout.
/// </summary>
/// <param name="gateways">The names.</param>
/// <param name="refresh">How often the names are asked for again.</param>
/// <param name="resolve">Asks for a name; the system's way by default.</param>
internal sealed class NamedGateways(IReadOnlyList<Gateway> gateways, TimeSpan refresh, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null) : IGatewayListProvider
{
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve = resolve ?? Dns.GetHostAddressesAsync;
    private readonly Dictionary<Gateway, IPAddress[]> _known = [];

    public TimeSpan MaxStaleness => refresh;

    public bool IsUpdatable => true;

    /// <summary>Returns the addresses of all names. One that has none now keeps those that it had: while no silo is ready a headless Service has none, and a server for names may be away.</summary>
    /// <exception cref="NoClusterException">None has, or had, any.</exception>
    public async Task<IReadOnlyList<IPEndPoint>> ResolveAsync(CancellationToken cancellationToken)
    {
        List<string> problems = [];
        foreach (var gateway in gateways)
        {
            try
            {
                if (await _resolve(gateway.Host, cancellationToken).ConfigureAwait(false) is { Length: > 0 } addresses)
                {
                    _known[gateway] = addresses;
                }
                else
                {
                    problems.Add($"{gateway.Host}: it has no address");
                }
            }
            catch (SocketException exception)
            {
                problems.Add($"{gateway.Host}: {FirstLine(exception.Message)}");
            }
        }

        return _known.Count > 0
            ? [.. gateways.Where(_known.ContainsKey).SelectMany(gateway => _known[gateway].Select(address => new IPEndPoint(address, gateway.Port)))]
            : throw new NoClusterException($"no cluster at {Names(gateways)}: {string.Join("; ", problems)}");
    }

    public static string Names(IReadOnlyList<Gateway> gateways) => string.Join(", ", gateways);

    public static string FirstLine(string text) => text.ReplaceLineEndings("\n").Split('\n')[0].TrimEnd('.');

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways() =>
        [.. (await ResolveAsync(CancellationToken.None).ConfigureAwait(false)).Select(static endpoint => endpoint.ToGatewayUri())];
}
