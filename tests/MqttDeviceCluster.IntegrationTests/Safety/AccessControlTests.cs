using System.Collections.Concurrent;
using System.Text;
using System.Threading.Channels;
using MqttDeviceCluster.Cli;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Simulator;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.IntegrationTests.Safety;

/// <summary>What <c>infra/mosquitto</c> promises, with those very files.</summary>
/// <param name="configuration">Which of its configurations.</param>
public abstract class AccessControlTests(string configuration) : IAsyncLifetime
{
    private protected const string Device = "544B3B144B8C";
    private const string OtherDevice = "0a";
    private const byte NotAuthorized = 0x87;
    private const byte NoMatchingSubscribers = 0x10;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly TestCertificates _authority = new();
    private readonly TestCertificates _services = new();
    private readonly int _devicePort = FreePorts.Next();
    private readonly int _servicePort = FreePorts.Next();
    private MosquittoBroker _broker = null!;

    public async ValueTask InitializeAsync()
    {
        var lines = Settings(configuration).Select(Here).ToList();
        lines.InsertRange(lines.FindIndex(static line => line.StartsWith("listener ", StringComparison.Ordinal)), OwnListener);
        _broker = MosquittoBroker.Prepare([.. lines]);
        var certificates = Directory.CreateDirectory(Path.Combine(_broker.DirectoryPath, "certs")).FullName;
        _authority.WriteServer(certificates, "localhost");
        _services.WriteAuthority(Path.Combine(certificates, "services-ca.pem"));
        _services.WriteClient(PathOf("service.pem"), "mqtt-device-cluster");
        _services.WriteClient(PathOf("operator.pem"), "operator");
        _authority.WriteClient(PathOf("device.pem"), "mqtt-device-cluster");
        File.Copy(Path.Combine(Repository.Root, "infra", "mosquitto", "acl"), PathOf("acl"));
        await MosquittoPasswords.WriteAsync(PathOf("passwords"), (Device, "one"), (OtherDevice, "two"));
        await PrepareAsync();
        await _broker.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _broker.DisposeAsync();
        _authority.Dispose();
        _services.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Gets what a silo is told to come as the service.</summary>
    private protected abstract string[] SiloArguments { get; }

    /// <summary>Gets what <c>mdc check</c> is told to come as an operator.</summary>
    private protected abstract string[] OperatorArguments { get; }

    /// <summary>Gets what the listener without TLS is told, which the test's broker has besides.</summary>
    private protected virtual string[] OwnListener => [];

    /// <summary>Returns the settings of a file of infra/mosquitto.</summary>
    private protected static IEnumerable<string> Settings(string file) =>
        File.ReadLines(Path.Combine(Repository.Root, "infra", "mosquitto", file)).Where(static line => line.Length > 0 && line[0] != '#');

    /// <summary>Returns how the service or an operator comes.</summary>
    private protected abstract MqttStreamOptions ServiceOptions(string name);

    /// <summary>Writes what the broker needs besides.</summary>
    private protected virtual Task PrepareAsync() => Task.CompletedTask;

    [Fact]
    public async Task Device_IsOnlyItself()
    {
        foreach (var topic in new[]
        {
            $"device/{OtherDevice}/pin/update", $"device/{OtherDevice}/status", $"device/{OtherDevice}/pin/set", $"device/{Device}/pin/set", "dead-letter", "x",
        })
        {
            await AssertRefusedAsync(DeviceOptions(Device, "one"), topic);
        }

        await using var device = await Client.ConnectAsync(DeviceOptions(Device, "one"), OtherDevice);
        await using var other = await Client.ConnectAsync(DeviceOptions(OtherDevice, "two"), OtherDevice);
        await device.SubscribeAsync("device/+/pin/set", "device/+/pin/update", "#");
        await other.SubscribeAsync($"device/{OtherDevice}/pin/set");

        // Both called themselves the same; had the broker believed it, the first would be off by now.
        Assert.True(await device.PublishAsync($"device/{Device}/pin/update") < 0x80);
        Assert.True(await device.PublishAsync($"device/{Device}/status") < 0x80);

        await using var service = await Client.ConnectAsync(ServiceOptions("service"), "service-1");
        Assert.True(await service.PublishAsync($"device/{OtherDevice}/pin/set") < 0x80);
        Assert.True(await service.PublishAsync($"device/{Device}/pin/set") < 0x80);

        // The wildcards were granted, but only what is its own arrives: not the other one's command, which came first.
        Assert.Equal($"device/{OtherDevice}/pin/set", await other.NextAsync());
        Assert.Equal($"device/{Device}/pin/set", await device.NextAsync());
    }

    [Fact]
    public async Task Device_CannotComeAsTheService()
    {
        // Not by the name alone, and not with a device's password where services come.
        var byName = await Assert.ThrowsAsync<MqttConnectException>(() => Client.ConnectAsync(DeviceOptions("mqtt-device-cluster", "one"), "x"));
        Assert.Equal(MqttConnectFailure.Refused, byName.Failure);
        var options = DeviceOptions(Device, "one");
        options.ConnectionString = $"mqtts://localhost:{_servicePort}";
        await Assert.ThrowsAsync<MqttConnectException>(() => Client.ConnectAsync(options, "x"));
    }

    [Fact]
    public async Task Service_DoesItsWorkAndNothingElse()
    {
        await using var device = await Client.ConnectAsync(DeviceOptions(Device, "one"), Device);
        await using var service = await Client.ConnectAsync(ServiceOptions("service"), "service-1");
        await service.SubscribeAsync("#");
        foreach (var topic in new[] { $"device/{Device}/pin/config", $"device/{Device}/pin/set", $"device/{Device}/pin/get", "dead-letter" })
        {
            Assert.True(await service.PublishAsync(topic) < 0x80, topic);
        }

        foreach (var topic in new[] { $"device/{Device}/pin/update", $"device/{Device}/status", $"device/{Device}/firmware", "x" })
        {
            await AssertRefusedAsync(ServiceOptions("service"), topic);
        }

        Assert.True(await device.PublishAsync($"device/{Device}/pin/update") < 0x80);
        string topicReceived;
        do
        {
            // Its own commands come back to "#", dead letters do not.
            topicReceived = await service.NextAsync();
            Assert.NotEqual("dead-letter", topicReceived);
        }
        while (topicReceived != $"device/{Device}/pin/update");
    }

    [Fact]
    public async Task Operator_FindsAndClearsRetainedCommands()
    {
        await using (var service = await Client.ConnectAsync(ServiceOptions("service"), "careless"))
        {
            await service.PublishAsync($"device/{Device}/pin/set", retain: true);
        }

        string[] options =
        [
            "check", "--broker", $"mqtts://localhost:{_servicePort}", "--ca-file", PathOf("certs/ca.pem"), .. OperatorArguments,
        ];
        Assert.Equal(1, (await MdcAsync(options)).Code);
        Assert.Equal(0, (await MdcAsync([.. options, "--clear", "--yes"])).Code);
        Assert.Equal(0, (await MdcAsync(options)).Code);
    }

    [Fact]
    public async Task Operator_SeesWhatDevicesSayAndWhatWasGivenUp()
    {
        await using var device = await Client.ConnectAsync(DeviceOptions(Device, "one"), Device);
        await using var service = await Client.ConnectAsync(ServiceOptions("service"), "service-1");
        await using var person = await Client.ConnectAsync(ServiceOptions("operator"), "person");
        await person.SubscribeAsync("device/+/pin/update", "device/+/status", "dead-letter");
        Assert.True(await device.PublishAsync($"device/{Device}/pin/update") < 0x80);
        Assert.Equal($"device/{Device}/pin/update", await person.NextAsync());
        Assert.True(await device.PublishAsync($"device/{Device}/status") < 0x80);
        Assert.Equal($"device/{Device}/status", await person.NextAsync());
        Assert.True(await service.PublishAsync("dead-letter") < 0x80);
        Assert.Equal("dead-letter", await person.NextAsync());

        // A look at what a device says is no subscriber of its commands: an offline one is still told from one that is silent.
        Assert.Equal(NoMatchingSubscribers, await service.PublishAsync($"device/{OtherDevice}/pin/set"));
        await person.SubscribeAsync("device/#");
        Assert.Equal(0, await service.PublishAsync($"device/{OtherDevice}/pin/set"));
        foreach (var topic in new[] { $"device/{Device}/pin/update", $"device/{Device}/status", "dead-letter" })
        {
            await AssertRefusedAsync(ServiceOptions("operator"), topic);
        }
    }

    [Fact]
    public async Task Silo_AsTheService_CommandsADevice()
    {
        await using var silo = await SiloProcess.StartAsync(new()
        {
            Broker = $"mqtts://localhost:{_servicePort}",
            Arguments =
            [
                $"--Mqtt:CertificateAuthorityFile={PathOf("certs/ca.pem")}",
                "--Mqtt:DeadLetterTopic=dead-letter",
                .. SiloArguments,
            ],
        });
        await silo.WaitForOutputAsync("There are no retained messages on the command topics");

        // The simulator trusts only what the machine trusts: it comes by the listener without TLS, which the test's broker has besides.
        await using SimulatedFleet fleet = new(new() { Broker = new Uri($"mqtt://{Device}:one@127.0.0.1:{_broker.Port}"), Ids = [Device] });
        await fleet.StartAsync(TestContext.Current.CancellationToken);
        var (code, output) = await MdcAsync(["set", Device, "13=high", "--gateway", $"127.0.0.1:{silo.GatewayPort}", "--json", "--timeout", "20s"]);

        Assert.True(code == 0, $"{output}\n{silo.Output}\n{_broker.Log}");
        Assert.Contains("\"state\":1", output, StringComparison.Ordinal);
    }

    // Each on a connection of its own: mosquitto 2.0.11 may end it after the answer.
    private static async Task AssertRefusedAsync(MqttStreamOptions options, string topic)
    {
        await using var client = await Client.ConnectAsync(options, "refused");
        Assert.Equal(NotAuthorized, await client.PublishAsync(topic));
    }

    private static async Task<(int Code, string Output)> MdcAsync(string[] arguments)
    {
        using StringWriter output = new(), error = new();
        var code = await Mdc.RunAsync(arguments, new() { Output = output, Error = error }, TestContext.Current.CancellationToken);
        return (code, $"{output}{error}");
    }

    private string Here(string line) => line
        .Replace("/etc/mosquitto/", "{dir}/", StringComparison.Ordinal)
        .Replace("/var/lib/mosquitto/", "{dir}/", StringComparison.Ordinal)
        .Replace("listener 8883", $"listener {_devicePort} 127.0.0.1", StringComparison.Ordinal)
        .Replace("listener 8884", $"listener {_servicePort} 127.0.0.1", StringComparison.Ordinal);

    private protected string PathOf(string file) => Path.Combine(_broker.DirectoryPath, file);

    private MqttStreamOptions DeviceOptions(string user, string password) => new()
    {
        ConnectionString = $"mqtts://localhost:{_devicePort}",
        CertificateAuthorityFile = PathOf("certs/ca.pem"),
        UserName = user,
        Password = password,
    };

    private protected MqttStreamOptions OptionsOfServices() => new()
    {
        ConnectionString = $"mqtts://localhost:{_servicePort}",
        CertificateAuthorityFile = PathOf("certs/ca.pem"),
    };

    /// <summary>A client that publishes one message at a time and keeps what it receives.</summary>
    private protected sealed class Client : IMqttLinkReceiver, IMqttPublishSource, IAsyncDisposable
    {
        private readonly Channel<string> _received = Channel.CreateUnbounded<string>();
        private readonly ConcurrentQueue<MqttLinkPublish> _waiting = new();
        private readonly MqttLink _link;
        private TaskCompletionSource<byte> _answer = new();

        private Client(MqttLink link) => _link = link;

        public static async Task<Client> ConnectAsync(MqttStreamOptions options, string clientId)
        {
            var settings = MqttLinkSettings.Create(options, MqttConnectionString.Parse(options.ConnectionString!), clientId) with { CleanStart = true };
            Client client = new(await MqttLink.ConnectAsync(settings, TimeProvider.System, TestContext.Current.CancellationToken));
            client._link.Start(client, client);
            return client;
        }

        public async Task SubscribeAsync(params string[] filters) =>
            await _link.SubscribeAsync([.. filters.Select(filter => new MqttFilter(filter, MqttQualityOfService.AtMostOnce))], Bound);

        public async Task<byte> PublishAsync(string topic, bool retain = false)
        {
            _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(new MqttLinkPublish(topic, new() { Payload = Encoding.UTF8.GetBytes("[]"), Retain = retain }, 1, 0, null, null));
            _link.Kick(inline: false);
            return await _answer.Task.WaitAsync(Bound, TestContext.Current.CancellationToken);
        }

        public async Task<string> NextAsync() => await _received.Reader.ReadAsync().AsTask().WaitAsync(Bound, TestContext.Current.CancellationToken);

        public bool TryTake(out MqttLinkPublish publish) => _waiting.TryDequeue(out publish);

        public void OnWritten()
        {
        }

        public void OnPublish(MqttIncomingMessage message, ushort packetId) => _received.Writer.TryWrite(message.Topic);

        public void OnPublishAcknowledged(ushort packetId, byte reasonCode, string? reason) => _answer.TrySetResult(reasonCode);

        public ValueTask DisposeAsync() => _link.DisposeAsync();
    }
}
