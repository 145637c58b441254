using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.IntegrationTests.Infrastructure;
using MqttDeviceCluster.Streaming.Mqtt;
using MqttDeviceCluster.Streaming.Mqtt.Session;

namespace MqttDeviceCluster.IntegrationTests.Safety;

/// <summary>Mutual TLS, and credentials from files, against a mosquitto that demands them.</summary>
public sealed class BrokerCredentialTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly TestCertificates _certificates = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("mdc-credentials-").FullName;
    private readonly List<MqttConnectionLoop> _started = [];
    private readonly Log _log = new();

    [Fact]
    public async Task MutualTls_CertificateOfTheAuthority_Connects()
    {
        await using var broker = await StartBrokerAsync();
        _certificates.WriteClient(PathOf("client.pem"), "service");
        File.WriteAllText(PathOf("both.pem"), File.ReadAllText(PathOf("client.pem")) + "\n" + File.ReadAllText(PathOf("client.key")));
        _certificates.WriteClientPkcs12(PathOf("client.pfx"), "service", "pfx-pa55");
        File.WriteAllText(PathOf("pfx-password"), "pfx-pa55\n");

        await OnlineAsync(Start(broker, options => (options.ClientCertificateFile, options.ClientCertificateKeyFile) = (PathOf("client.pem"), PathOf("client.key"))));
        await OnlineAsync(Start(broker, options => options.ClientCertificateFile = PathOf("both.pem")));
        await OnlineAsync(Start(
            broker, options => (options.ClientCertificateFile, options.ClientCertificatePasswordFile) = (PathOf("client.pfx"), PathOf("pfx-password"))));
        Assert.Contains("u'service'", broker.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MutualTls_CertificateThatIsNotAccepted_SaysWhy()
    {
        await using var broker = await StartBrokerAsync();
        using TestCertificates strangers = new();
        strangers.WriteClient(PathOf("stranger.pem"), "service");
        _certificates.WriteClient(PathOf("expired.pem"), "service", TimeProvider.System.GetUtcNow().AddHours(-1));
        _certificates.WriteClient(PathOf("client.pem"), "service");
        strangers.WriteAuthority(PathOf("strangers.pem"));
        File.WriteAllText(PathOf("broken.pem"), "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");

        // What mosquitto says may be lost when it resets the connection: then it is guessed.
        var cases = new (string Certificate, string? Authority, string Problem)[]
        {
            ("stranger", null, "does not accept the client certificate"),
            ("expired", null, "the client certificate expired on "),
            ("", null, "wants a client certificate"),
            ("client", PathOf("strangers.pem"), "the broker's certificate is not trusted"),
            ("missing", null, "cannot be read"),
            ("broken", null, "do not go together"),
        };
        foreach (var (certificate, authority, problem) in cases)
        {
            var publisher = Start(broker, options =>
            {
                options.CertificateAuthorityFile = authority ?? options.CertificateAuthorityFile;
                if (certificate.Length > 0)
                {
                    options.ClientCertificateFile = PathOf(certificate + ".pem");
                    options.ClientCertificateKeyFile = PathOf(certificate is "broken" ? "client.key" : certificate + ".key");
                }
            });
            await WaitForAsync(publisher, () => publisher.Problem is not null);
            Assert.True(publisher.Problem!.Contains(problem, StringComparison.Ordinal), $"'{certificate}': {publisher.Problem}");
        }
    }

    [Fact]
    public async Task MutualTls_FilesReplaced_ConnectsAgainWithTheNewOnesAndKeepsTheOldWhileTheyDoNotWork()
    {
        await using var broker = await StartBrokerAsync();
        _certificates.WriteClient(PathOf("client.pem"), "first");
        var publisher = Start(broker, options =>
        {
            (options.ClientCertificateFile, options.ClientCertificateKeyFile) = (PathOf("client.pem"), PathOf("client.key"));
            options.CredentialCheckPeriod = TimeSpan.FromMilliseconds(100);
        });
        await OnlineAsync(publisher);
        var lost = 0;
        publisher.StateChanged += () => lost += publisher.State == MqttConnectionState.Online ? 0 : 1;

        File.WriteAllText(PathOf("client.pem"), "half a cert");
        Assert.Contains("do not go together", await _log.WaitForAsync("do not work"), StringComparison.Ordinal);
        using TestCertificates strangers = new();
        strangers.WriteClient(PathOf("client.pem"), "stranger");
        await _log.WaitForAsync("does not accept the client certificate");
        Assert.Equal(0, lost);
        Assert.True((await publisher.PublishAsync("in/a", new() { Payload = "1"u8.ToArray() })).Outcome is MqttPublishOutcome.NoMatchingSubscribers);

        _certificates.WriteClient(PathOf("client.pem"), "second");
        List<Task<MqttPublishResult>> publishes = [];
        var renewed = _log.WaitForAsync("is made again with them");
        while (!renewed.IsCompleted)
        {
            publishes.Add(publisher.PublishAsync("in/a", new() { Payload = "1"u8.ToArray() }));
            await Task.WhenAny(renewed, publishes[^1]);
        }

        await WaitForAsync(publisher, () => lost == 1 && publisher.State == MqttConnectionState.Online);
        publishes.Add(publisher.PublishAsync("in/a", new() { Payload = "1"u8.ToArray() }));

        // Those under way when it happened were answered first, those that waited went over the new connection.
        Assert.All(await Task.WhenAll(publishes), result => Assert.Equal(MqttPublishOutcome.NoMatchingSubscribers, result.Outcome));
        Assert.Contains("u'second'", broker.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UserAndPasswordFiles_AreReadWithoutTheirLineBreakAndAgainWhenTheyChange()
    {
        await using var broker = MosquittoBroker.Prepare("allow_anonymous false", "password_file {dir}/passwords");
        await MosquittoPasswords.WriteAsync(Path.Combine(broker.DirectoryPath, "passwords"), ("service", "s3cret one"), ("second", "s3cret two"));
        await broker.StartAsync();
        File.WriteAllText(PathOf("user"), "service\n");
        File.WriteAllText(PathOf("password"), "s3cret one\r\n");
        var publisher = Start(broker, options =>
        {
            options.ConnectionString = broker.ConnectionString;
            (options.UserNameFile, options.PasswordFile) = (PathOf("user"), PathOf("password"));
            options.CredentialCheckPeriod = TimeSpan.FromMilliseconds(100);
        });
        await OnlineAsync(publisher);

        // As a Kubernetes secret changes: a link is turned to another directory. Until both are there, the new ones do not work.
        File.WriteAllText(PathOf("user"), "second\n");
        await _log.WaitForAsync("do not work");
        File.WriteAllText(PathOf("password.new"), "s3cret two\n");
        File.Move(PathOf("password.new"), PathOf("password"), overwrite: true);
        await _log.WaitForAsync("is made again with them");
        await OnlineAsync(publisher);

        Assert.Contains("u'second'", broker.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", _log.Text, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var started in _started)
        {
            await started.DisposeAsync();
        }

        _certificates.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private string PathOf(string file) => Path.Combine(_directory, file);

    private async Task<MosquittoBroker> StartBrokerAsync()
    {
        var broker = MosquittoBroker.Prepare(
            "cafile {dir}/ca.pem", "certfile {dir}/server.pem", "keyfile {dir}/server.key", "require_certificate true", "use_identity_as_username true");
        _certificates.WriteServer(broker.DirectoryPath, "localhost");
        await broker.StartAsync();
        return broker;
    }

    private MqttPublisher Start(MosquittoBroker broker, Action<MqttStreamOptions> configure)
    {
        MqttStreamOptions options = new()
        {
            ConnectionString = $"mqtts://localhost:{broker.Port}",
            CertificateAuthorityFile = Path.Combine(broker.DirectoryPath, "ca.pem"),
            PublishConnectWait = TimeSpan.FromSeconds(10),
        };
        configure(options);
        MqttPublisher publisher = new(
            options, "test", new MqttStreamMetrics(new MeterFactory(), "test"), _log, TimeProvider.System, new() { RenewWithin = TimeSpan.FromMilliseconds(100) });
        _started.Add(publisher);
        publisher.Start();
        return publisher;
    }

    private static Task OnlineAsync(MqttPublisher publisher) => WaitForAsync(publisher, () => publisher.State == MqttConnectionState.Online);

    private static async Task WaitForAsync(MqttPublisher publisher, Func<bool> condition)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Check()
        {
            if (condition())
            {
                reached.TrySetResult();
            }
        }

        publisher.StateChanged += Check;
        Check();
        try
        {
            await reached.Task.WaitAsync(Bound, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"It is {publisher.State}: {publisher.Problem}");
        }
        finally
        {
            publisher.StateChanged -= Check;
        }
    }

    private sealed class Log : ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();
        private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _awaited = new();

        public string Text => string.Join('\n', _lines);

        public Task<string> WaitForAsync(string text)
        {
            var awaited = _awaited.GetOrAdd(text, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
            if (_lines.FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal)) is { } line)
            {
                awaited.TrySetResult(line);
            }

            return awaited.Task.WaitAsync(Bound);
        }

        void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var line = $"{formatter(state, exception)} {exception}";
            _lines.Enqueue(line);
            foreach (var (text, awaited) in _awaited)
            {
                if (line.Contains(text, StringComparison.Ordinal))
                {
                    awaited.TrySetResult(line);
                }
            }
        }

        bool ILogger.IsEnabled(LogLevel logLevel) => true;

        IDisposable? ILogger.BeginScope<TState>(TState state) => null;
    }

    private sealed class MeterFactory : IMeterFactory
    {
        public Meter Create(MeterOptions options) => new(options);

        public void Dispose()
        {
        }
    }
}
