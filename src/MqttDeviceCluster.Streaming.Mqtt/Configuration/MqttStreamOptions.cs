namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>Options of one MQTT stream provider, named like the provider.</summary>
public sealed class MqttStreamOptions
{
    private static readonly TimeSpan MostAnswerTime = TimeSpan.FromSeconds(28);

    /// <summary>
    /// Gets or sets the broker: <c>mqtt://</c>, <c>mqtts://</c>, <c>ws://</c> or <c>wss://</c>, with optional user, password, port and path. Required.
    /// </summary>
    [Redact]
    public string? ConnectionString { get; set; }

    /// <summary>Gets or sets the user name; it wins over one in <see cref="ConnectionString"/>.</summary>
    [Redact]
    public string? UserName { get; set; }

    /// <summary>Gets or sets a file with the user name, in place of <see cref="UserName"/>. UTF-8; line breaks at its end do not count.</summary>
    /// <remarks>This file, and those below, are read for each connection, and looked at again every <see cref="CredentialCheckPeriod"/>.</remarks>
    public string? UserNameFile { get; set; }

    /// <summary>Gets or sets the password; it wins over one in <see cref="ConnectionString"/>.</summary>
    [Redact]
    public string? Password { get; set; }

    /// <summary>Gets or sets a file with the password, in place of <see cref="Password"/>. UTF-8; line breaks at its end do not count.</summary>
    public string? PasswordFile { get; set; }

    /// <summary>
    /// Gets or sets a PEM file with the certificates to trust for <c>mqtts</c> and <c>wss</c>. Default: those that the machine trusts.
    /// </summary>
    public string? CertificateAuthorityFile { get; set; }

    /// <summary>
    /// Gets or sets the certificate to show to the broker (mutual TLS), for <c>mqtts</c> and <c>wss</c>: a PEM file, or PKCS #12 when the name ends in
    /// <c>.pfx</c> or <c>.p12</c>. Default: none.
    /// </summary>
    /// <remarks>Only the certificate itself is sent: the broker must have the intermediate ones, if there are any.</remarks>
    public string? ClientCertificateFile { get; set; }

    /// <summary>Gets or sets the PEM file with the key of <see cref="ClientCertificateFile"/>. Default: it stands in that file too.</summary>
    public string? ClientCertificateKeyFile { get; set; }

    /// <summary>Gets or sets the password of the PKCS #12 file, or of an encrypted PEM key. Default: none.</summary>
    [Redact]
    public string? ClientCertificatePassword { get; set; }

    /// <summary>Gets or sets a file with that password, in place of <see cref="ClientCertificatePassword"/>.</summary>
    public string? ClientCertificatePasswordFile { get; set; }

    /// <summary>
    /// Gets or sets how often to look whether the files with credentials and certificates have changed. Default 30 s; 100 ms to 1 day. Files that stay
    /// the same for two looks are tried on a connection of their own; when the broker takes it, the connections in use are made again, at a random
    /// moment within 10 s. Files that do not work are logged, and what is connected stays.
    /// </summary>
    public TimeSpan CredentialCheckPeriod { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Gets or sets the client id. Default <c>{ServiceId}-{provider name}</c>. It names the broker's session: it must be the same on every silo
    /// and after every restart, and used by no one else. Connection <c>i</c> receives as <c>{ClientId}-{i}</c>; a silo publishes under an id of its own.
    /// </summary>
    public string? ClientId { get; set; }

    /// <summary>Gets or sets how many Orleans queues share a connection. Default 16; range 1 to 1024. About one per 5,000 active streams.</summary>
    /// <remarks>The same on every silo.</remarks>
    public int QueuesPerConnection { get; set; } = 16;

    /// <summary>Gets or sets how many connections receive. Default 1; range 1 to 64. The same on every silo.</summary>
    /// <remarks>
    /// More than one keeps the order of a stream only if all its topics stay on one connection: give each incoming route its own
    /// connection and filters that do not overlap, or set <see cref="SharedGroup"/> on a broker that shares by topic hash.
    /// </remarks>
    public int Connections { get; set; } = 1;

    /// <summary>
    /// Gets or sets the shared subscription group that all connections subscribe in (<c>$share/{group}/…</c>). Default none. Use it only with a broker that
    /// sends one topic to one member (EMQX <c>hash_topic</c>): others deal messages out in turn, which breaks the order.
    /// </summary>
    public string? SharedGroup { get; set; }

    /// <summary>
    /// Gets or sets how many unacknowledged QoS 1 messages the broker may send to one connection. Default 4096; range 1 to 65535 (the MQTT 5
    /// Receive Maximum).
    /// </summary>
    /// <remarks>
    /// This is the provider's back-pressure: a message is acknowledged after its grain handled it, so the broker pauses once this many are in flight.
    /// The broker's own limit (mosquitto <c>max_inflight_messages</c>) may be lower and then rules.
    /// </remarks>
    public int ReceiveMaximum { get; set; } = 4096;

    /// <summary>
    /// Gets or sets how many QoS 0 messages may wait for their grains. Default 10,000; range 1 to 1,000,000. QoS 0 has no back-pressure: beyond
    /// this the oldest is dropped and counted.
    /// </summary>
    public int MaxPendingAtMostOnce { get; set; } = 10_000;

    /// <summary>Gets or sets the largest payload that is decoded. Default 64 KiB; range 1 byte to 256 MiB. A larger one is refused.</summary>
    public int MaxPayloadBytes { get; set; } = 64 * 1024;

    /// <summary>Gets or sets how many messages of one stream are delivered in one grain call at most. Default 64; range 1 to 4096.</summary>
    public int MaxBatchSize { get; set; } = 64;

    /// <summary>
    /// Gets or sets how long the broker keeps the session, with its messages, while no silo is connected. Default 1 day; 1 minute to 49,710 days.
    /// </summary>
    public TimeSpan SessionExpiry { get; set; } = TimeSpan.FromDays(1);

    /// <summary>
    /// Gets or sets the keep-alive. Default 30 s; 1 s to 18 h. A connection that stays silent for one and a half times as long is given up. The broker's
    /// own, shorter one wins.
    /// </summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets how long one attempt to connect may take. Default 10 s; 100 ms to 5 minutes.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Gets or sets the greatest delay between attempts to connect. Default 30 s; 100 ms to 1 hour. It is jittered downwards by up to half.</summary>
    public TimeSpan MaxReconnectDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Gets or sets how many QoS 1 messages a silo publishes at once. Default 256; range 1 to 65535. The broker's Receive Maximum wins when it is lower.
    /// </summary>
    public int PublishWindow { get; set; } = 256;

    /// <summary>
    /// Gets or sets how many messages may wait to be published. Default 10,000; range 1 to 1,000,000. One more fails at once.
    /// </summary>
    public int MaxPendingPublishes { get; set; } = 10_000;

    /// <summary>
    /// Gets or sets how long a message waits for a connection, or for a broker that does not answer, before it fails as not sent. Default 1 s;
    /// zero to 1 hour. A reconnect of a moment then passes unnoticed.
    /// </summary>
    public TimeSpan PublishConnectWait { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Gets or sets after which silence of the broker nothing more is published on a connection with unanswered messages. Default 1 s; 100 ms to 1 hour.
    /// Whatever the broker sends ends it. What waits longer than <see cref="PublishConnectWait"/> meanwhile fails as not sent.
    /// </summary>
    /// <remarks>
    /// A broker that is frozen, or behind a broken network, gets what was written when it wakes up, and counts the expiry of a message from then:
    /// what is written into the silence acts late. When a message runs out of time in the silence, the connection is reset and made again.
    /// </remarks>
    public TimeSpan PublishStallTime { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Gets or sets how long a message may keep failing before it is dead-lettered. Default 10 s; 100 ms to 1 hour. While it fails, the later messages
    /// of its stream wait, and with ordered acknowledgement the others' acknowledgements wait too.
    /// </summary>
    /// <remarks>
    /// A consumer that does not answer at all has three times as long, up to 28 s. After two failures in a row, or one such silence, everything for that consumer is dead-lettered
    /// at once, so that it holds up nobody any more; the newest message is delivered all the same, and when that succeeds the stream is as before.
    /// </remarks>
    public TimeSpan MaxDeliveryTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Gets how long a consumer may take to answer. Longer than a message may fail, so that one that answers, if only with errors, is not taken for one that does not; and
    /// longer than it takes to notice that a silo was lost. But less than the 30 s after which Orleans fails a call that is not answered: it would count as an answer.
    /// </summary>
    internal TimeSpan MaxAnswerTime => MaxDeliveryTime >= MostAnswerTime ? MaxDeliveryTime : 3 * MaxDeliveryTime < MostAnswerTime ? 3 * MaxDeliveryTime : MostAnswerTime;

    /// <summary>
    /// Gets or sets the topic that refused and dead-lettered messages are published to, QoS 1, with the user properties <c>reason</c> and
    /// <c>topic</c>. Default none: they are counted and logged only. No incoming route may match it.
    /// </summary>
    public string? DeadLetterTopic { get; set; }

    /// <summary>
    /// Gets or sets how long an unfinished message may hold back the acknowledgements of later ones, which are then sent out of order. Default
    /// <see langword="null"/>: for as long as it takes, as MQTT 5 demands [MQTT-4.6.0-2]. Set it only for a broker known to take acknowledgements in any order
    /// (mosquitto, EMQX, VerneMQ).
    /// </summary>
    public TimeSpan? AcknowledgeOutOfOrderAfter { get; set; }

    /// <summary>Gets the routes. At least one.</summary>
    public MqttRouteCollection Routes { get; } = new();
}
