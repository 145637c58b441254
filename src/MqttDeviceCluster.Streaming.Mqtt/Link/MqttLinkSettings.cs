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

    public bool CleanStart { get; init; }

    public TimeSpan SessionExpiry { get; init; }

    /// <summary>Gets how many unacknowledged messages we take; 0 leaves it to the protocol's 65535.</summary>
    public int ReceiveMaximum { get; init; }

    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets how long name resolution, TCP, TLS and CONNACK may take together.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Gets the settings that every connection of a provider shares.</summary>
    public static MqttLinkSettings Create(MqttStreamOptions options, MqttConnectionString broker, string clientId) => new()
    {
        Broker = broker,
        ClientId = clientId,
        UserName = options.UserName ?? broker.UserName,
        Password = options.Password ?? broker.Password,
        CertificateAuthorityFile = options.CertificateAuthorityFile,
        KeepAlive = options.KeepAlive,
        ConnectTimeout = options.ConnectTimeout,
    };

    /// <summary>Returns what may be logged: a record would print its password.</summary>
    public override string ToString() => $"{Broker} as {ClientId}";
}
