using System.Net;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;

namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>
/// Looks for what would make the start fail half-way, with a stack trace from deep inside: taken ports and a store that does not open.
/// What changes between this look and the start still fails there.
/// </summary>
internal static class SiloPreflight
{
    /// <exception cref="SiloStartException">Something is in the way.</exception>
    public static void Check(SiloSettings settings)
    {
        if (settings.EmbedsBroker)
        {
            CheckPort(
                settings.EmbeddedBrokerEndpoint,
                "the embedded broker",
                $"choose another with --EmbeddedBroker:Port, or use the broker that is there with --ConnectionStrings:mqtt={settings.BrokerName}");
        }

        if (settings.LocalhostClustering)
        {
            CheckPort(new(IPAddress.Loopback, settings.SiloPort), "the silo", "choose another with --Orleans:Endpoints:SiloPort");
            CheckPort(new(IPAddress.Loopback, settings.GatewayPort), "the Orleans gateway", "choose another with --Orleans:Endpoints:GatewayPort");
        }

        foreach (var binding in SiloSettings.Bindings(settings.Urls))
        {
            CheckPort(new(AddressOf(binding.Host), binding.Port), "HTTP", "choose another with --Urls=http://127.0.0.1:PORT");
        }

        if (settings.EmbedsStore)
        {
            CheckStore(settings);
        }
    }

    private static void CheckPort(IPEndPoint endpoint, string what, string remedy)
    {
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(endpoint);
            socket.Listen(1);
        }
        catch (SocketException e)
        {
            var problem = e.SocketErrorCode == SocketError.AddressAlreadyInUse ? "is already in use" : $"cannot be used ({e.Message})";
            throw new SiloStartException($"Port {endpoint.Port} on {endpoint.Address}, for {what}, {problem}: stop what holds it, or {remedy}.", e);
        }
    }

    private static IPAddress AddressOf(string host) =>
        IPAddress.TryParse(host, out var address) ? address
        : string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback
        : IPAddress.Any;

    private static void CheckStore(SiloSettings settings)
    {
        const string Remedy = "make it writable, or choose another directory with --DataDirectory";
        try
        {
            Directory.CreateDirectory(settings.DataDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloStartException($"The data directory {settings.DataDirectory} cannot be created ({e.Message.TrimEnd('.')}): {Remedy}.", e);
        }

        try
        {
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder
            {
                DataSource = settings.StorePath,
                Mode = SqliteOpenMode.ReadWriteCreate,
                Pooling = false,
                DefaultTimeout = 2,
            }.ToString());
            connection.Open();
            using var command = connection.CreateCommand();
            // Takes the write lock and reads the header: all that a store in good order allows.
            command.CommandText = "BEGIN IMMEDIATE; SELECT count(*) FROM sqlite_schema; ROLLBACK;";
            command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            throw new SiloStartException($"The store {settings.StorePath} cannot be opened ({e.Message.TrimEnd('.')}): {Remedy}.", e);
        }
    }
}
