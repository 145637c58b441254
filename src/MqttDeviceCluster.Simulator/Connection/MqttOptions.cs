using System.Globalization;
using System.Net.Sockets;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace MqttDeviceCluster.Simulator.Connection;

/// <summary>Turns the options of a fleet into those of one MQTTnet client.</summary>
internal static class MqttOptions
{
    private const int SocketBufferBytes = 1 << 20;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SessionExpiry = TimeSpan.FromHours(1);

    public static MqttClientOptions Build(SimulatedFleetOptions options, string clientId, (string Topic, byte[] Payload)? will)
    {
        var builder = new MqttClientOptionsBuilder()
            .WithClientId(clientId)
            .WithProtocolVersion(options.MqttVersion == SimulatedMqttVersion.V311 ? MqttProtocolVersion.V311 : MqttProtocolVersion.V500)
            .WithCleanStart(!options.PersistentSession)
            .WithKeepAlivePeriod(options.KeepAlive)
            .WithTimeout(Timeout)
            .WithoutPacketFragmentation();

        if (options.MqttVersion == SimulatedMqttVersion.V5)
        {
            builder.WithReceiveMaximum(ushort.MaxValue).WithTopicAliasMaximum(0);
            if (options.PersistentSession)
            {
                builder.WithSessionExpiryInterval((uint)SessionExpiry.TotalSeconds);
            }
        }

        AddTransport(builder, options.Broker);
        if (options.Broker.UserInfo is { Length: > 0 } user)
        {
            var colon = user.IndexOf(':', StringComparison.Ordinal);
            builder.WithCredentials(
                Uri.UnescapeDataString(colon < 0 ? user : user[..colon]),
                colon < 0 ? null : Uri.UnescapeDataString(user[(colon + 1)..]));
        }

        if (will is { } message)
        {
            builder
                .WithWillTopic(message.Topic)
                .WithWillPayload(message.Payload)
                .WithWillRetain()
                .WithWillQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce);
        }

        return builder.Build();
    }

    /// <summary>Returns the address without user and password, for messages.</summary>
    public static string Display(Uri broker) =>
        broker.IsDefaultPort || broker.Port < 0
            ? $"{broker.Scheme}://{broker.Host}:{Port(broker).ToString(CultureInfo.InvariantCulture)}{PathOf(broker)}"
            : $"{broker.Scheme}://{broker.Authority.Split('@')[^1]}{PathOf(broker)}";

    private static string PathOf(Uri broker) => broker.AbsolutePath == "/" ? "" : broker.AbsolutePath;

    private static void AddTransport(MqttClientOptionsBuilder builder, Uri broker)
    {
        if (broker.Scheme is "ws" or "wss")
        {
            var address = new UriBuilder(broker) { UserName = "", Password = "" }.Uri.AbsoluteUri;
            builder.WithWebSocketServer(webSocket => webSocket.WithUri(address));
        }
        else
        {
            builder
                .WithTcpServer(broker.IdnHost, Port(broker))
                .WithTcpServer(tcp =>
                {
                    // MQTTnet's default of 8 KiB stalls; with its default linger (on, 0 s) a goodbye can be lost. Null throws.
                    tcp.BufferSize = SocketBufferBytes;
                    tcp.NoDelay = true;
                    tcp.LingerState = new LingerOption(enable: false, seconds: 0);
                });
        }

        if (broker.Scheme is "mqtts" or "wss")
        {
            builder.WithTlsOptions(tls => tls.UseTls());
        }
    }

    private static int Port(Uri broker) => broker.Port > 0 ? broker.Port : broker.Scheme switch
    {
        "mqtts" => 8883,
        "ws" => 80,
        "wss" => 443,
        _ => 1883,
    };
}
