using System.Net;
using System.Net.Sockets;
using MqttDeviceCluster.Silo.Hosting;
using MQTTnet.Packets;
using MQTTnet.Server;

namespace MqttDeviceCluster.Silo.EmbeddedBroker;

/// <summary>
/// MQTTnet's broker in this process, for development. It keeps sessions in memory only, ignores message expiry and Receive Maximum, asks no one for a
/// password, and drops the oldest message of a client that falls 100,000 behind.
/// </summary>
internal sealed partial class EmbeddedBrokerService : IHostedService, IDisposable
{
    // MQTTnet's own limit of 1,000 loses QoS 1 messages that it has acknowledged.
    private const int DefaultMaxPendingMessages = 100_000;

    private readonly IPEndPoint _endpoint;
    private readonly ILogger<EmbeddedBrokerService> _logger;
    private readonly MqttServerOptions _options;
    private readonly MqttServer _server;
    private long _dropped;

    public EmbeddedBrokerService(SiloSettings settings, ILogger<EmbeddedBrokerService> logger)
        : this(settings, logger, DefaultMaxPendingMessages)
    {
    }

    internal EmbeddedBrokerService(SiloSettings settings, ILogger<EmbeddedBrokerService> logger, int maxPendingMessages)
    {
        _endpoint = settings.EmbeddedBrokerEndpoint;
        _logger = logger;
        var factory = new MqttServerFactory();
        var isV6 = _endpoint.AddressFamily == AddressFamily.InterNetworkV6;
        _options = factory.CreateServerOptionsBuilder()
            .WithDefaultEndpoint()
            .WithDefaultEndpointBoundIPAddress(isV6 ? IPAddress.None : _endpoint.Address)
            .WithDefaultEndpointBoundIPV6Address(isV6 ? _endpoint.Address : IPAddress.None)
            .WithDefaultEndpointPort(_endpoint.Port)
            .WithPersistentSessions()
            .WithMaxPendingMessagesPerClient(maxPendingMessages)
            .Build();
        _server = factory.CreateMqttServer(_options, [new AnonymousClientAdapter()]);
        _server.QueuedApplicationMessageOverwrittenAsync += OnDroppedAsync;
    }

    /// <summary>Gets the port that it listens on, once it is started.</summary>
    internal int Port => _options.DefaultEndpointOptions.Port;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _server.StartAsync();
        }
        catch (SocketException e)
        {
            throw new SiloStartException($"The embedded broker cannot listen on {_endpoint}: {e.Message}.", e);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => _server.StopAsync(new MqttServerStopOptions());

    public void Dispose() => _server.Dispose();

    private Task OnDroppedAsync(QueueMessageOverwrittenEventArgs args)
    {
        // The first, and then at every power of ten: a client that is behind loses one with every message.
        var dropped = Interlocked.Increment(ref _dropped);
        if (Math.Log10(dropped) % 1 == 0)
        {
            LogDropped(args.ReceiverClientId, (args.Packet as MqttPublishPacket)?.Topic, dropped);
        }

        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Error, "The embedded broker dropped a message to '{ClientId}' on '{Topic}', which is too far behind: {Dropped} dropped so far.")]
    private partial void LogDropped(string clientId, string? topic, long dropped);
}
