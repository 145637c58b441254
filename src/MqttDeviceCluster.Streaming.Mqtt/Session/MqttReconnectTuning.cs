namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>Times that only tests change.</summary>
internal sealed record MqttReconnectTuning
{
    public static readonly MqttReconnectTuning Default = new();

    /// <summary>Gets the shortest wait after the session was taken over. The wait is up to twice as long.</summary>
    public TimeSpan FenceDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets the wait between two looks at whether it may be taken back.</summary>
    public TimeSpan TakeBackDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets how long a connection must last for the next failure to be a first one again.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets below which age an end without a reason may be a take-over: mosquitto before 2.0.15 just closes the socket.</summary>
    public TimeSpan ShortLived { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets how many such ends in a row are taken for one.</summary>
    public int ShortLivedLimit { get; init; } = 3;

    /// <summary>Gets within which time a connection is made again with new credentials, at a random moment: not all silos at once.</summary>
    public TimeSpan RenewWithin { get; init; } = TimeSpan.FromSeconds(10);
}
