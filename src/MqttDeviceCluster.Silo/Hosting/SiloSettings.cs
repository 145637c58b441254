using System.Net;
using MqttDeviceCluster.Silo.Diagnostics;
using MqttDeviceCluster.Silo.FleetPage;
using MqttDeviceCluster.Streaming.Mqtt;
using Orleans.Configuration;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// What the configuration says, and the embedded default wherever it says nothing. The only place that knows a default of the host.
/// </summary>
internal sealed record SiloSettings
{
    public const string BrokerConnectionName = "mqtt";

    /// <summary>The name of the grain storage that devices live in.</summary>
    public const string StorageName = "Default";

    /// <summary>Every key of the sections that this host knows to the last; one that is not here is a typing error.</summary>
    private static readonly Dictionary<string, string[]> OwnKeys = new(StringComparer.OrdinalIgnoreCase)
    {
        ["DataDirectory"] = [],
        ["Simulate"] = [],
        ["EmbeddedBroker"] = ["Address", "Port"],
        ["Devices"] = ["CommandQualityOfService", .. typeof(DeviceOptions).GetProperties().Where(p => p.CanWrite).Select(p => p.Name)],
        ["Dashboard"] = ["Enabled"],
        ["FleetPage"] = ["Enabled", "Token"],
        ["Startup"] = ["DatabaseWait"],
        ["Shutdown"] = ["DrainDelay"],
        ["Telemetry"] = ["UpdateSamplingRatio"],
        ["SettingsDirectory"] = [],
        ["Orleans"] =
        [
            "BroadcastChannel", "ClusterId", "Clustering", "EnableDistributedTracing", "Endpoints", "Gateway", "GrainDirectory", "GrainStorage", "Journaling",
            "Messaging", "Name", "Reminders", "ServiceId", "Streaming",
        ],
        ["Orleans:Endpoints"] = ["ListenIPAddress", .. typeof(EndpointOptions).GetProperties().Where(p => p.CanWrite).Select(p => p.Name)],
        ["Mqtt"] = [.. typeof(MqttStreamOptions).GetProperties().Where(p => p.CanWrite && p.Name != nameof(MqttStreamOptions.ConnectionString)).Select(p => p.Name)],
    };

    /// <summary>Gets the roots of the sections that only this host reads.</summary>
    public static IEnumerable<string> OwnRoots => OwnKeys.Keys;

    /// <summary>Gets every key that this host knows, with the section it stands in.</summary>
    public static IEnumerable<(string Root, string Name, string Key)> KnownKeys =>
        OwnKeys.SelectMany(static section => section.Value.Length == 0 ? [(section.Key, "", section.Key)] : section.Value.Select(name => (section.Key, name, $"{section.Key}:{name}")));

    /// <summary>Gets whether the broker runs in this process.</summary>
    public required bool EmbedsBroker { get; init; }

    /// <summary>Gets the broker in use. It may hold a password: log <see cref="BrokerName"/>.</summary>
    public required Uri Broker { get; init; }

    /// <summary>Gets the broker in use, without user and password.</summary>
    public string BrokerName => MqttConnectionString.Parse(Broker.OriginalString).ToString();

    public required IPEndPoint EmbeddedBrokerEndpoint { get; init; }

    /// <summary>Gets whether the store is the embedded one.</summary>
    public required bool EmbedsStore { get; init; }

    /// <summary>Gets the absolute path of the data directory.</summary>
    public required string DataDirectory { get; init; }

    public string StorePath => Path.Combine(DataDirectory, "devices.db");

    /// <summary>Gets whether the silo is a cluster of its own.</summary>
    public required bool LocalhostClustering { get; init; }

    public required int SiloPort { get; init; }

    public required int GatewayPort { get; init; }

    /// <summary>Gets where the silo is reached when it is not a cluster of its own.</summary>
    public required SiloEndpoints Endpoints { get; init; }

    public required string ClusterId { get; init; }

    public required string ServiceId { get; init; }

    /// <summary>Gets the URLs to listen on, or <see langword="null"/> when Kestrel is configured in another way.</summary>
    public required string? Urls { get; init; }

    public required bool Dashboard { get; init; }

    /// <summary>Gets how the fleet page is offered, or <see langword="null"/> when it is not.</summary>
    public required FleetPageSettings? FleetPage { get; init; }

    public required int Simulate { get; init; }

    /// <summary>Gets how long a start waits for databases that are away.</summary>
    public required TimeSpan DatabaseWait { get; init; }

    public required TimeSpan DrainDelay { get; init; }

    public required MqttQualityOfService CommandQualityOfService { get; init; }

    /// <summary>Gets what is exported.</summary>
    public required TelemetrySettings Telemetry { get; init; }

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SiloStartException">One or several are wrong; the message names them all.</exception>
    public static SiloSettings From(IConfiguration configuration, string workingDirectory)
    {
        var read = new SettingReader(configuration);
        foreach (var (root, keys) in OwnKeys)
        {
            foreach (var child in configuration.GetSection(root).GetChildren().Where(child => !keys.Contains(child.Key, StringComparer.OrdinalIgnoreCase)))
            {
                read.Problems.Add($"{child.Path} is not a setting");
            }
        }

        read.Check<MqttStreamOptions>("Mqtt");
        read.Check<DeviceOptions>("Devices");
        foreach (var streams in configuration.GetSection("Orleans:Streaming").GetChildren().Where(static streams => string.Equals(streams["ProviderType"], "Mqtt", StringComparison.OrdinalIgnoreCase)))
        {
            read.Check<MqttStreamOptions>(streams.Path);
        }

        var endpoint = new IPEndPoint(read.Address("EmbeddedBroker:Address", IPAddress.Loopback), read.Port("EmbeddedBroker:Port", 1883));
        var connectionString = configuration.GetConnectionString(BrokerConnectionName);
        if (connectionString is null)
        {
            // Most likely one is the broker's, misspelt: the embedded broker in its place would be a quiet disaster.
            read.Problems.AddRange(Unused(configuration).Select(name =>
                $"ConnectionStrings:{name} is used by nothing: the broker's is ConnectionStrings:{BrokerConnectionName}"));
        }

        var urls = read.Urls();
        var isLoopback = IsLoopback(urls);
        var fleetPage = FleetPageSettings.Read(read, isLoopback);
        var (siloPort, gatewayPort) = (read.Port("Orleans:Endpoints:SiloPort", 11111), read.Port("Orleans:Endpoints:GatewayPort", 30000));
        var settings = new SiloSettings
        {
            EmbedsBroker = connectionString is null,
            EmbeddedBrokerEndpoint = endpoint,
            Broker = connectionString is null ? UrlOf(endpoint) : read.Broker(connectionString),
            EmbedsStore = !configuration.GetSection($"Orleans:GrainStorage:{StorageName}").Exists(),
            DataDirectory = Path.GetFullPath(read.Text("DataDirectory", "data"), workingDirectory),
            LocalhostClustering = !configuration.GetSection("Orleans:Clustering").Exists(),
            SiloPort = siloPort,
            GatewayPort = gatewayPort,
            Endpoints = SiloEndpoints.Read(read, configuration, siloPort, gatewayPort),
            ClusterId = read.Text("Orleans:ClusterId", "default"),
            ServiceId = read.Text("Orleans:ServiceId", "default"),
            Urls = urls,
            Dashboard = ReadDashboard(read, isLoopback, fleetPage),
            FleetPage = fleetPage,
            Simulate = read.Number("Simulate", 0, 0, 100_000),
            DatabaseWait = read.Value("Startup:DatabaseWait", TimeSpan.FromMinutes(2), TryParseDatabaseWait, "hh:mm:ss, such as 00:01:00, at most 3 minutes,"),
            DrainDelay = read.Value("Shutdown:DrainDelay", TimeSpan.Zero, TryParseDrainDelay, "hh:mm:ss, such as 00:00:05, at most 30 seconds,"),
            CommandQualityOfService = read.Value(
                "Devices:CommandQualityOfService", MqttQualityOfService.AtLeastOnce, TryParseQualityOfService, "AtLeastOnce or AtMostOnce"),
            Telemetry = TelemetrySettings.Read(read, configuration),
        };
        ClusteringComposition.Check(read, configuration);
        SiloEndpoints.CheckEmbedded(read, !settings.LocalhostClustering, settings.EmbedsBroker, settings.EmbedsStore);
        read.ThrowIfProblems();
        return settings;
    }

    /// <summary>Returns the host and port of one of <see cref="Urls"/>. The host may be a name, <c>*</c> or <c>+</c>.</summary>
    public static IEnumerable<BindingAddress> Bindings(string? urls) =>
        (urls ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(BindingAddress.Parse);

    private static bool ReadDashboard(SettingReader read, bool isLoopback, FleetPageSettings? fleetPage)
    {
        var enabled = read.Value("Dashboard:Enabled", isLoopback, bool.TryParse, "true or false");
        if (enabled && !isLoopback && fleetPage?.Token is null)
        {
            read.Problems.Add(
                "the dashboard shows every silo and grain, and HTTP does not listen on loopback alone: set FleetPage:Enabled to true and "
                + $"FleetPage:Token (at least {FleetPageSettings.MinTokenLength} characters), which opens both, or Dashboard:Enabled to false");
        }

        return enabled;
    }

    private static string[] Unused(IConfiguration configuration)
    {
        // A provider of Orleans names its connection string under whatever key it likes.
        var named = configuration.GetSection("Orleans").AsEnumerable().Select(setting => setting.Value).ToHashSet(StringComparer.OrdinalIgnoreCase);
        return [.. configuration.GetSection("ConnectionStrings").GetChildren().Select(child => child.Key).Where(name => !named.Contains(name))];
    }

    private static Uri UrlOf(IPEndPoint endpoint)
    {
        // A broker on all addresses is reached through loopback.
        var address = endpoint.Address.Equals(IPAddress.Any) ? IPAddress.Loopback
            : endpoint.Address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback
            : endpoint.Address;
        return new UriBuilder("mqtt", address.ToString(), endpoint.Port).Uri;
    }

    private static bool IsLoopback(string? urls) => urls is not null && Bindings(urls).All(binding =>
        string.Equals(binding.Host, "localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(binding.Host, out var address) && IPAddress.IsLoopback(address)));

    private static bool TryParseDatabaseWait(string text, out TimeSpan value) => TryParseTime(text, SiloComposition.MaxDatabaseWait, out value);

    private static bool TryParseDrainDelay(string text, out TimeSpan value) => TryParseTime(text, SiloComposition.MaxDrainDelay, out value);

    private static bool TryParseTime(string text, TimeSpan most, out TimeSpan value) =>
        SettingReader.TryParseTime(text, out value) && value >= TimeSpan.Zero && value <= most;

    private static bool TryParseQualityOfService(string text, out MqttQualityOfService value) =>
        Enum.TryParse(text, ignoreCase: true, out value) && Enum.IsDefined(value);
}
