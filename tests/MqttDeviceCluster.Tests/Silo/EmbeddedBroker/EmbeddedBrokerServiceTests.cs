using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Silo.EmbeddedBroker;
using MqttDeviceCluster.Silo.Hosting;
using MqttDeviceCluster.Tests.Silo.Hosting;
using MQTTnet;

namespace MqttDeviceCluster.Tests.Silo.EmbeddedBroker;

public sealed class EmbeddedBrokerServiceTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly ErrorLog _log = new();
    private int _port;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(new byte[] { 0x10, 12, 0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', 4, 2, 0, 60, 0, 0 }, new byte[] { 0x20, 2, 0, 0 })]
    [InlineData(new byte[] { 0x10, 12, 0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', 4, 0, 0, 60, 0, 0 }, new byte[0])]
    public async Task Connect_NoClientId_IsTakenForACleanSessionOnly(byte[] connect, byte[] expected)
    {
        await using var broker = await StartAsync(100_000);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _port, Token);
        await client.GetStream().WriteAsync(connect, Token);
        var answer = new byte[4];
        var read = await client.GetStream().ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, Token).AsTask().WaitAsync(Bound, Token);
        Assert.Equal(expected, answer[..read]);
    }

    [Fact]
    public async Task Connect_NoClientIdInMqtt5_IsTakenAndToldItsId()
    {
        await using var broker = await StartAsync(100_000);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _port, Token);
        await client.GetStream().WriteAsync(
            new byte[] { 0x10, 13, 0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', 5, 2, 0, 60, 0, 0, 0 }, Token);

        var answer = new byte[5];
        await client.GetStream().ReadExactlyAsync(answer, Token).AsTask().WaitAsync(Bound, Token);
        Assert.Equal([0x20, 0, 0], [answer[0], answer[2], answer[3]]);
        var properties = new byte[answer[4]];
        await client.GetStream().ReadExactlyAsync(properties, Token).AsTask().WaitAsync(Bound, Token);
        Assert.Contains("\u0012\0\u002aanonymous-", System.Text.Encoding.Latin1.GetString(properties), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Session_ClientAway_KeepsItsMessages()
    {
        await using var broker = await StartAsync(100_000);
        await SubscribeAndLeaveAsync("away", "t");
        using var publisher = await ConnectAsync("publisher");
        for (var i = 0; i < 3; i++)
        {
            await PublishAsync(publisher, i);
        }

        var received = Channel.CreateUnbounded<string>();
        using var client = await ConnectAsync("away", received.Writer);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal($"{i}", await received.Reader.ReadAsync(Token).AsTask().WaitAsync(Bound, Token));
        }

        Assert.Empty(_log.Errors);
    }

    [Fact]
    public async Task Session_TooFarBehind_IsAnErrorInTheLog()
    {
        await using var broker = await StartAsync(maxPending: 5);
        await SubscribeAndLeaveAsync("away", "t");
        using var publisher = await ConnectAsync("publisher");
        for (var i = 0; i < 20; i++)
        {
            await PublishAsync(publisher, i);
        }

        // At the first and the tenth of fifteen.
        Assert.Equal(
            [
                "The embedded broker dropped a message to 'away' on 't', which is too far behind: 1 dropped so far.",
                "The embedded broker dropped a message to 'away' on 't', which is too far behind: 10 dropped so far.",
            ],
            _log.Errors);
    }

    [Fact]
    public async Task StartAsync_PortTaken_SaysSo()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        _port = ((IPEndPoint)holder.LocalEndpoint).Port;
        using var broker = Create(100_000);
        var e = await Assert.ThrowsAsync<SiloStartException>(() => broker.StartAsync(Token));
        Assert.StartsWith($"The embedded broker cannot listen on 127.0.0.1:{_port}: ", e.Message, StringComparison.Ordinal);
    }

    private async Task<Running> StartAsync(int maxPending)
    {
        var broker = Create(maxPending);
        await broker.StartAsync(Token);
        _port = broker.Port;
        return new Running(broker);
    }

    private EmbeddedBrokerService Create(int maxPending) =>
        new(SiloSettingsTests.From() with { EmbeddedBrokerEndpoint = new IPEndPoint(IPAddress.Loopback, _port) }, _log, maxPending);

    private async Task SubscribeAndLeaveAsync(string clientId, string topic)
    {
        using var client = await ConnectAsync(clientId);
        await client.SubscribeAsync(topic, MQTTnet.Protocol.MqttQualityOfServiceLevel.AtLeastOnce, Token);
        await client.DisconnectAsync(new MqttClientDisconnectOptions(), Token);
    }

    private async Task<IMqttClient> ConnectAsync(string clientId, ChannelWriter<string>? received = null)
    {
        var client = new MqttClientFactory().CreateMqttClient();
        client.ApplicationMessageReceivedAsync += args =>
        {
            received?.TryWrite(args.ApplicationMessage.ConvertPayloadToString());
            return Task.CompletedTask;
        };
        var result = await client.ConnectAsync(
            new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", _port).WithClientId(clientId).WithCleanStart(false).WithSessionExpiryInterval(600).Build(),
            Token);
        Assert.Equal(MqttClientConnectResultCode.Success, result.ResultCode);
        return client;
    }

    private static async Task PublishAsync(IMqttClient client, int number)
    {
        var result = await client.PublishStringAsync("t", $"{number}", MQTTnet.Protocol.MqttQualityOfServiceLevel.AtLeastOnce, cancellationToken: Token);
        Assert.True(result.IsSuccess);
    }

    private sealed class Running(EmbeddedBrokerService broker) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await broker.StopAsync(CancellationToken.None);
            broker.Dispose();
        }
    }

    private sealed class ErrorLog : ILogger<EmbeddedBrokerService>
    {
        private readonly List<string> _errors = [];

        public string[] Errors
        {
            get
            {
                lock (_errors)
                {
                    return [.. _errors];
                }
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Error)
            {
                lock (_errors)
                {
                    _errors.Add(formatter(state, exception));
                }
            }
        }
    }
}
