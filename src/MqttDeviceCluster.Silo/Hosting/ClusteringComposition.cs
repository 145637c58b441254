using System.Net;
using Orleans.Configuration;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>Where the members of the cluster and the states of the devices are kept, when the configuration names a database.</summary>
/// <remarks>Orleans itself adds the providers that the configuration names; here they get what they need beside it.</remarks>
internal static class ClusteringComposition
{
    private const string Clustering = "Orleans:Clustering";
    private const string Storage = $"Orleans:GrainStorage:{SiloSettings.StorageName}";

    // Orleans has its Redis providers under both names.
    private const string AzureRedis = "AZUREREDISCACHE";

    // What a problem names. Taken, and not named: the second name of Redis, and Orleans' clustering for development.
    private static readonly string[] ClusteringProviders = ["PostgreSql", "Redis", "AdoNet"];
    private static readonly string[] StorageProviders = ["PostgreSql", "Redis", "Sqlite", "Memory"];

    /// <summary>Says what Orleans' providers can be told and this host cannot give.</summary>
    public static void Check(SettingReader read, IConfiguration configuration)
    {
        if (configuration.GetSection(Clustering).Exists())
        {
            CheckProvider(read, configuration.GetSection(Clustering), ClusteringProviders, AzureRedis, "DEVELOPMENT");
        }

        foreach (var storage in configuration.GetSection("Orleans:GrainStorage").GetChildren())
        {
            CheckProvider(read, storage, StorageProviders, AzureRedis);
        }

        foreach (var section in (string[])[Clustering, Storage])
        {
            if (configuration[$"{section}:ServiceKey"] is not null)
            {
                read.Problems.Add($"{section}:ServiceKey names a connection that a host has registered, and this one has none: give ConnectionString or ConnectionName");
            }
        }
    }

    public static void AddClustering(ISiloBuilder silo, IConfiguration configuration, SiloSettings settings)
    {
        silo.Configure<EndpointOptions>(options => Apply(settings.Endpoints, options));
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, BrokerBeforeJoining>();
        LeavingErrorHandler.Add(silo.Services);
        AddGrainDirectory(silo);
        switch (ProviderType(configuration, Clustering))
        {
            // PostgreSql, ours, brings its tables by itself.
            case "ADONET":
                silo.AddPostgreSqlClusteringTables();
                break;
            case "REDIS" or AzureRedis:
                silo.CheckRedisClustering();
                break;
        }
    }

    public static void AddStorage(ISiloBuilder silo, IConfiguration configuration)
    {
        if (ProviderType(configuration, Storage) is "REDIS" or AzureRedis)
        {
            silo.ObserveRedisGrainStorage(SiloSettings.StorageName);
        }
    }

    /// <summary>
    /// The directory that hands its entries over. With Orleans' default one each silo that leaves has the others deactivate those of their devices that stood in its part: a third of
    /// them in a cluster of three, each with the command that it runs and that nobody then knows the outcome of.
    /// </summary>
    private static void AddGrainDirectory(ISiloBuilder silo)
    {
#pragma warning disable ORLEANSEXP003 // Experimental since Orleans 9; the faults of tests/MqttDeviceCluster.IntegrationTests are what it is held to.
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003

        // A lease would keep the devices of a silo that was declared dead from all others for 18 s more. As with Orleans' default directory there is none: a silo that did not run and
        // does not know yet that it is dead to the others is fenced.
        silo.Configure<GrainDirectoryOptions>(static options => options.RangeLeaseDuration = TimeSpan.Zero);
    }

    /// <summary>Orleans would say which packages an application has to reference.</summary>
    private static void CheckProvider(SettingReader read, IConfigurationSection section, string[] named, params string[] others)
    {
        // As Orleans does: a section without a type is of the one that it is named after.
        var given = section["ProviderType"];
        if (!named.Concat(others).Contains(given ?? section.Key, StringComparer.OrdinalIgnoreCase))
        {
            read.Problems.Add(
                $"{section.Path}:ProviderType {(given is null ? "is missing" : $"is '{given}'")} and must be {string.Join(", ", named[..^1])} or {named[^1]}");
        }
    }

    private static string? ProviderType(IConfiguration configuration, string section) => configuration[$"{section}:ProviderType"]?.ToUpperInvariant();

    private static void Apply(SiloEndpoints endpoints, EndpointOptions options)
    {
        options.SiloPort = endpoints.SiloPort;
        options.GatewayPort = endpoints.GatewayPort;
        if (endpoints.AdvertisedIPAddress is { } address)
        {
            options.AdvertisedIPAddress = address;
        }

        options.SiloListeningEndpoint = Listen(endpoints.SiloPort) ?? options.SiloListeningEndpoint;
        options.GatewayListeningEndpoint = Listen(endpoints.GatewayPort) ?? options.GatewayListeningEndpoint;

        IPEndPoint? Listen(int port) => endpoints.ListenIPAddress is { } listen ? new IPEndPoint(listen, port) : null;
    }
}
