using System.Security.Cryptography.X509Certificates;

namespace MqttDeviceCluster.Streaming.Mqtt.Link;

/// <summary>What one CONNECT says, and to whom.</summary>
internal sealed record MqttLinkSettings
{
    public required MqttConnectionString Broker { get; init; }

    public required string ClientId { get; init; }

    public string? UserName { get; init; }

    public string? Password { get; init; }

    /// <summary>Gets a PEM file with the certificates to trust, instead of those that the machine trusts.</summary>
    public string? CertificateAuthorityFile { get; init; }

    /// <summary>Gets what reads the certificate to show to the broker, called once for each connection, which then owns it.</summary>
    public Func<X509Certificate2>? ClientCertificate { get; init; }

    public bool CleanStart { get; init; }

    public TimeSpan SessionExpiry { get; init; }

    /// <summary>Gets how many unacknowledged messages we take; 0 leaves it to the protocol's 65535.</summary>
    public int ReceiveMaximum { get; init; }

    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets how long name resolution, TCP, TLS and CONNACK may take together.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Gets the settings that every connection of a provider shares. Secrets that are in files are read now.</summary>
    /// <exception cref="MqttConnectException">A file cannot be read.</exception>
    public static MqttLinkSettings Create(MqttStreamOptions options, MqttConnectionString broker, string clientId) => new()
    {
        Broker = broker,
        ClientId = clientId,
        UserName = options.UserNameFile is { } userNameFile ? MqttCredentialFiles.ReadSecret(userNameFile, "user name") : options.UserName ?? broker.UserName,
        Password = options.PasswordFile is { } passwordFile ? MqttCredentialFiles.ReadSecret(passwordFile, "password") : options.Password ?? broker.Password,
        CertificateAuthorityFile = options.CertificateAuthorityFile,
        ClientCertificate = options.ClientCertificateFile is null ? null : () => LoadClientCertificate(options)!,
        KeepAlive = options.KeepAlive,
        ConnectTimeout = options.ConnectTimeout,
    };

    /// <summary>Reads the certificate to show to the broker; <see langword="null"/> if there is to be none.</summary>
    /// <exception cref="MqttConnectException">It cannot be read, or not be used.</exception>
    public static X509Certificate2? LoadClientCertificate(MqttStreamOptions options) => options.ClientCertificateFile is not { } file
        ? null
        : MqttClientCertificate.Load(
            file,
            options.ClientCertificateKeyFile,
            options.ClientCertificatePasswordFile is { } passwordFile
                ? MqttCredentialFiles.ReadSecret(passwordFile, "client certificate's password")
                : options.ClientCertificatePassword);

    /// <summary>Returns what may be logged: a record would print its password.</summary>
    public override string ToString() => $"{Broker} as {ClientId}";
}
