using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;
using MQTTnet.Server.Internal.Adapter;

namespace MqttDeviceCluster.Silo.EmbeddedBroker;

/// <summary>
/// Takes clients that name no client id, as <c>mosquitto_sub</c> does: MQTTnet refuses them, and the protocol says that a server may give them
/// one [MQTT-3.1.3-6]. In 3.1.1 only for a clean session [MQTT-3.1.3-8]: no one could come back to another. In 5 the client is told which one it
/// got [MQTT-3.2.2-16].
/// </summary>
internal sealed class AnonymousClientAdapter : IMqttServerAdapter
{
    private readonly MqttTcpServerAdapter _inner = new();

    public Func<IMqttChannelAdapter, Task>? ClientHandler { get; set; }

    public Task StartAsync(MqttServerOptions options, IMqttNetLogger logger)
    {
        _inner.ClientHandler = channel => ClientHandler?.Invoke(new Channel(channel)) ?? Task.CompletedTask;
        return _inner.StartAsync(options, logger);
    }

    public Task StopAsync() => _inner.StopAsync();

    public void Dispose() => _inner.Dispose();

    private sealed class Channel(IMqttChannelAdapter inner) : IMqttChannelAdapter
    {
        private string? _assignedId;

        public long BytesReceived => inner.BytesReceived;

        public long BytesSent => inner.BytesSent;

        public X509Certificate2 ClientCertificate => inner.ClientCertificate;

        public EndPoint RemoteEndPoint => inner.RemoteEndPoint;

        public EndPoint LocalEndPoint => inner.LocalEndPoint;

        public bool IsSecureConnection => inner.IsSecureConnection;

        public MqttPacketFormatterAdapter PacketFormatterAdapter => inner.PacketFormatterAdapter;

        public Task ConnectAsync(CancellationToken cancellationToken) => inner.ConnectAsync(cancellationToken);

        public Task DisconnectAsync(CancellationToken cancellationToken) => inner.DisconnectAsync(cancellationToken);

        public async Task<MqttPacket> ReceivePacketAsync(CancellationToken cancellationToken)
        {
            var packet = await inner.ReceivePacketAsync(cancellationToken);
            if (packet is MqttConnectPacket connect && string.IsNullOrEmpty(connect.ClientId))
            {
                var version = PacketFormatterAdapter.ProtocolVersion;
                if (version == MqttProtocolVersion.V500 || (version == MqttProtocolVersion.V311 && connect.CleanSession))
                {
                    connect.ClientId = $"anonymous-{Guid.NewGuid():N}";
                    _assignedId = version == MqttProtocolVersion.V500 ? connect.ClientId : null;
                }
            }

            return packet;
        }

        public void ResetStatistics() => inner.ResetStatistics();

        public Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken)
        {
            if (_assignedId is not null && packet is MqttConnAckPacket { ReasonCode: MqttConnectReasonCode.Success } accepted)
            {
                accepted.AssignedClientIdentifier = _assignedId;
            }

            return inner.SendPacketAsync(packet, cancellationToken);
        }

        public void Dispose() => inner.Dispose();
    }
}
