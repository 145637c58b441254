using System.Runtime.Versioning;
using System.Text;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using Npgsql;

namespace MqttDeviceCluster.IntegrationTests.Kubernetes;

/// <summary>What prod finds in place: a broker over TLS, and a PostgreSQL. Pods reach both on the outside of their network.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ProductionServers : IAsyncDisposable
{
    /// <summary>The broker's name, for which it has a certificate.</summary>
    public const string BrokerName = "broker.example";

    private readonly PostgreSqlServer _postgreSql;
    private readonly TcpRelay _brokerRelay;
    private readonly TcpRelay _storeRelay;

    private ProductionServers(PodNetwork network, PostgreSqlServer postgreSql, string database, MosquittoBroker broker, int brokerPort)
    {
        Network = network;
        _postgreSql = postgreSql;
        Database = database;
        Broker = broker;
        _brokerRelay = new(PodNetwork.Outside, broker.Port, listenPort: brokerPort);
        _storeRelay = new(PodNetwork.Outside, postgreSql.Port);
    }

    public PodNetwork Network { get; }

    public MosquittoBroker Broker { get; }

    /// <summary>Gets the connection string of the administrator, for this side.</summary>
    public string Database { get; }

    /// <summary>Starts both.</summary>
    /// <param name="brokerPort">The port that the manifests name.</param>
    /// <param name="prepare">Writes files into the broker's directory, beside the server's certificate.</param>
    /// <param name="configuration">Who is let in: lines of mosquitto.conf.</param>
    public static async Task<ProductionServers> StartAsync(int brokerPort, Func<TestCertificates, string, Task> prepare, params string[] configuration)
    {
        var network = await PodNetwork.CreateAsync();
        var postgreSql = await PostgreSqlServer.StartNewAsync();
        using TestCertificates certificates = new();
        var broker = MosquittoBroker.Prepare(["cafile {dir}/ca.pem", "certfile {dir}/server.pem", "keyfile {dir}/server.key", .. configuration]);
        certificates.WriteServer(broker.DirectoryPath, BrokerName);
        await prepare(certificates, broker.DirectoryPath);
        await broker.StartAsync();
        return new(network, postgreSql, await postgreSql.CreateDatabaseAsync(), broker, brokerPort);
    }

    /// <summary>Returns a connection string for pods.</summary>
    public string DatabaseFor(string? user = null, string? password = null)
    {
        NpgsqlConnectionStringBuilder inside = new(Database) { Host = PodNetwork.Outside.ToString(), Port = _storeRelay.EndPoint.Port };
        (inside.Username, inside.Password) = (user ?? inside.Username, password ?? inside.Password);
        return inside.ConnectionString;
    }

    /// <summary>Returns the path of a file in the broker's directory.</summary>
    public string PathOf(string file) => Path.Combine(Broker.DirectoryPath, file);

    /// <summary>Reads a file of the broker's directory.</summary>
    public string Read(string file) => File.ReadAllText(PathOf(file));

    /// <summary>Returns a secret as an operator makes it of files.</summary>
    public static Manifests SecretOf(string @namespace, string name, params IEnumerable<(string Key, string Value)> data) => Manifests.Parse(
        $"""
        apiVersion: v1
        kind: Secret
        metadata:
          name: {name}
          namespace: {@namespace}
        data:
        {string.Join('\n', data.Select(static pair => $"  {pair.Key}: {Convert.ToBase64String(Encoding.UTF8.GetBytes(pair.Value))}"))}
        """);

    public async ValueTask DisposeAsync()
    {
        await _storeRelay.DisposeAsync();
        await _brokerRelay.DisposeAsync();
        await Broker.DisposeAsync();
        await _postgreSql.DisposeAsync();
        await Network.DisposeAsync();
    }
}
