using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MQTTnet;
using MQTTnet.Channel;
using MQTTnet.Formatter;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>Opens the byte stream of one connection: TCP with our own buffering, TLS on it, or WebSocket.</summary>
/// <remarks>
/// The socket below a WebSocket is out of reach. When such a connection is given up, the system goes on trying to deliver what is written, on Linux for some
/// 15 minutes.
/// </remarks>
internal sealed class MqttTransport : IMqttClientStreamProvider, IDisposable
{
    private readonly MqttLinkSettings _settings;
    private BufferedSocketStream? _stream;
    private X509Certificate2? _clientCertificate;
    private DateTime _clientCertificateExpiry = DateTime.MaxValue;
    private bool _isBrokerAccepted;

    /// <exception cref="MqttConnectException">A certificate file cannot be read.</exception>
    public MqttTransport(MqttLinkSettings settings)
    {
        _settings = settings;
        Options = new MqttClientOptions
        {
            ProtocolVersion = MqttProtocolVersion.V500,
            ChannelOptions = CreateChannelOptions(),
            // Held writes make one system call of many packets anyway; WebSocket frames are better whole.
            AllowPacketFragmentation = !settings.Broker.UseWebSocket,
        };
    }

    public MqttClientOptions Options { get; }

    /// <summary>Gets what is wrong with the broker's certificate, if that was looked at and refused.</summary>
    public string? CertificateProblem { get; private set; }

    /// <summary>From now on writes are held until <see cref="FlushAsync"/>.</summary>
    public void HoldWrites() => _stream?.HoldWrites = true;

    public ValueTask FlushAsync() => _stream?.SendHeldAsync() ?? ValueTask.CompletedTask;

    public async Task<Stream> ConnectAsync(EndPoint brokerEndPoint, CancellationToken cancellationToken)
    {
        // No SO_RCVBUF or SO_SNDBUF: they turn off the system's own tuning. A close is a reset, also when this process is killed: what the broker has
        // not got yet is dropped, and does not act when a broken network is whole again. An orderly end waits for the broker to close first.
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, LingerState = new LingerOption(enable: true, seconds: 0) };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, Math.Max(1, (int)_settings.KeepAlive.TotalSeconds));
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(brokerEndPoint, cancellationToken).ConfigureAwait(false);
            _stream = new BufferedSocketStream(socket);
            return _stream;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Returns why the TLS connection did not come about, as far as it can be told, or <see langword="null"/>.</summary>
    public string? Explain(Exception exception, DateTimeOffset now)
    {
        if (CertificateProblem is not null || !_settings.Broker.UseTls)
        {
            return CertificateProblem;
        }

        // Brokers differ in what they say of it, and some only close.
        return now.UtcDateTime > _clientCertificateExpiry
            ? string.Create(CultureInfo.InvariantCulture, $"the client certificate expired on {_clientCertificateExpiry:yyyy-MM-dd HH:mm} UTC")
            : TlsRefusal.Explain(exception, _isBrokerAccepted, _clientCertificate is not null);
    }

    public void Dispose()
    {
        _stream?.Dispose();
        _clientCertificate?.Dispose();
    }

    private IMqttClientChannelOptions CreateChannelOptions()
    {
        var broker = _settings.Broker;
        if (broker.UseWebSocket)
        {
            return new MqttClientWebSocketOptions
            {
                Uri = broker + broker.PathAndQuery,
                TlsOptions = broker.UseTls ? CreateTlsOptions(webSocket: true) : new MqttClientTlsOptions(),
            };
        }

        return new MqttClientTcpOptions
        {
            RemoteEndpoint = IPAddress.TryParse(broker.Host, out var address)
                ? new IPEndPoint(address, broker.Port)
                : new DnsEndPoint(broker.Host, broker.Port),
            StreamProvider = this,
            TlsOptions = broker.UseTls ? CreateTlsOptions(webSocket: false) : new MqttClientTlsOptions(),
        };
    }

    private MqttClientTlsOptions CreateTlsOptions(bool webSocket)
    {
        MqttClientTlsOptions options = new()
        {
            UseTls = true,
            TargetHost = _settings.Broker.Host,
            // The system chooses the versions, and revocation is checked as little as .NET's own clients do by default.
            SslProtocol = SslProtocols.None,
            RevocationMode = X509RevocationMode.NoCheck,
            AllowRenegotiation = false,
        };
        if (_settings.CertificateAuthorityFile is { } file)
        {
            Trust(options, file, webSocket);
        }
        else
        {
            options.CertificateValidationHandler = check => IsAccepted(check.SslPolicyErrors);
        }

        // Last: nothing fails after it, so what was loaded is disposed with the transport.
        if (_settings.ClientCertificate is { } load)
        {
            _clientCertificate = load();
            _clientCertificateExpiry = _clientCertificate.NotAfter.ToUniversalTime();
            options.ClientCertificatesProvider = new DefaultMqttCertificatesProvider([_clientCertificate]);
        }

        return options;
    }

    private void Trust(MqttClientTlsOptions options, string file, bool webSocket)
    {
        // Read for each connection, so that a replaced file takes effect at the next one.
        X509Certificate2Collection trusted = [];
        try
        {
            trusted.ImportFromPemFile(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new MqttConnectException(MqttConnectFailure.Settings, $"the certificate file '{file}' cannot be read", 0, exception);
        }

        if (trusted.Count == 0)
        {
            throw new MqttConnectException(MqttConnectFailure.Settings, $"the certificate file '{file}' holds no certificate");
        }

        if (webSocket)
        {
            options.CertificateValidationHandler = check => IsAccepted(Check(check, trusted));
        }
        else
        {
            options.TrustChain = trusted;
            options.CertificateValidationHandler = check => IsAccepted(check.SslPolicyErrors);
        }
    }

    // As strict as without a handler; only that a refusal can be explained.
    private bool IsAccepted(SslPolicyErrors errors)
    {
        CertificateProblem =
            errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) ? "the broker shows no certificate"
            : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? "the broker's certificate is for another host name"
            : errors != SslPolicyErrors.None ? "the broker's certificate is not trusted"
            : null;
        _isBrokerAccepted = errors == SslPolicyErrors.None;
        return _isBrokerAccepted;
    }

    // MQTTnet does not pass a trust chain on to its WebSocket: the chain is built again with ours. All other errors stay.
    private static SslPolicyErrors Check(MqttClientCertificateValidationEventArgs check, X509Certificate2Collection trusted)
    {
        if (check.Certificate is not X509Certificate2 certificate)
        {
            return check.SslPolicyErrors | SslPolicyErrors.RemoteCertificateNotAvailable;
        }

        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        // Server authentication: a certificate for another purpose is not one for a server.
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        foreach (var element in check.Chain.ChainElements)
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        var others = check.SslPolicyErrors & ~SslPolicyErrors.RemoteCertificateChainErrors;
        return chain.Build(certificate) ? others : others | SslPolicyErrors.RemoteCertificateChainErrors;
    }
}
