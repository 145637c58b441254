using System.Net;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>Where the silo is reached by other silos and by clients.</summary>
/// <param name="SiloPort">The port for other silos.</param>
/// <param name="GatewayPort">The port for clients.</param>
/// <param name="AdvertisedIPAddress">The address that they connect to; <see langword="null"/> for the one that Orleans finds.</param>
/// <param name="ListenIPAddress">The address that the silo listens on; <see langword="null"/> for the advertised one.</param>
internal sealed record SiloEndpoints(int SiloPort, int GatewayPort, IPAddress? AdvertisedIPAddress, IPAddress? ListenIPAddress)
{
    /// <summary>Reads <c>Orleans:Endpoints</c>, and says what is missing for a silo that is not alone.</summary>
    public static SiloEndpoints Read(SettingReader read, IConfiguration configuration, int siloPort, int gatewayPort)
    {
        const string Section = "Orleans:Endpoints";
        SiloEndpoints endpoints = new(siloPort, gatewayPort, Address("AdvertisedIPAddress"), Address("ListenIPAddress"));
        var clustering = configuration.GetSection("Orleans:Clustering").Exists();
        if (!clustering && (endpoints.AdvertisedIPAddress ?? endpoints.ListenIPAddress) is not null)
        {
            read.Problems.Add($"{Section} names an address but Orleans:Clustering is not set: without it a silo is alone, on loopback");
        }

        if (endpoints.AdvertisedIPAddress is { } address && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
        {
            read.Problems.Add($"{Section}:AdvertisedIPAddress must be an address that others connect to but is '{address}'; to listen on all, set {Section}:ListenIPAddress");
        }

        if (siloPort == gatewayPort)
        {
            read.Problems.Add($"{Section}:SiloPort and GatewayPort must differ but both are {siloPort}");
        }

        return endpoints;

        IPAddress? Address(string name) => configuration[$"{Section}:{name}"] is null ? null : read.Address($"{Section}:{name}", IPAddress.None);
    }

    /// <summary>Says what a cluster of several silos cannot share: what is embedded is in one process.</summary>
    public static void CheckEmbedded(SettingReader read, bool clustering, bool embedsBroker, bool embedsStore)
    {
        if (clustering && embedsBroker)
        {
            read.Problems.Add($"Orleans:Clustering is set but ConnectionStrings:{SiloSettings.BrokerConnectionName} is not: the embedded broker is for one silo");
        }

        if (clustering && embedsStore)
        {
            read.Problems.Add($"Orleans:Clustering is set but Orleans:GrainStorage:{SiloSettings.StorageName} is not: the embedded store is for one silo");
        }
    }
}
