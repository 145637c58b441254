using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using MqttDeviceCluster.Simulator.Connection;

namespace MqttDeviceCluster.Simulator;

/// <summary>The MQTT version that simulated devices speak.</summary>
public enum SimulatedMqttVersion
{
    /// <summary>MQTT 5.</summary>
    V5 = 0,

    /// <summary>MQTT 3.1.1: no properties in either direction.</summary>
    V311 = 1,
}

/// <summary>What a connection of the fleet does when the broker is away.</summary>
public enum ReconnectPolicy
{
    /// <summary>Tries for ever, from the first connection on: starting succeeds without a broker. The default.</summary>
    Always = 0,

    /// <summary>The first connection must succeed, or starting throws; after that tries for ever.</summary>
    OnceConnected = 1,

    /// <summary>The first connection must succeed, or starting throws; a lost connection stays lost.</summary>
    Never = 2,
}

/// <summary>What a connection subscribes to.</summary>
public enum FleetSubscription
{
    /// <summary>The three command topics of each device: the broker knows which devices are there.</summary>
    PerDevice = 0,

    /// <summary>
    /// Three wildcard filters over all devices, for fleets of many thousands on one connection. The broker then reports a subscriber
    /// for every device, those that are not simulated included.
    /// </summary>
    Wildcard = 1,
}

/// <summary>Which devices a <see cref="SimulatedFleet"/> has, and how they connect and behave.</summary>
public sealed record SimulatedFleetOptions
{
    /// <summary>The prefix of the default ids: the first byte of a locally administered MAC address, which no real device has.</summary>
    public const string DefaultIdPrefix = "02";

    /// <summary>The number of devices up to which each has a connection of its own by default.</summary>
    public const int MaxDefaultConnections = 100;

    /// <summary>
    /// Gets the broker: <c>mqtt://user:password@host:1883</c>, <c>mqtts://</c>, <c>ws://</c> or <c>wss://</c>. Default
    /// <c>mqtt://127.0.0.1:1883</c>.
    /// </summary>
    public Uri Broker { get; init; } = new("mqtt://127.0.0.1:1883");

    /// <summary>Gets how many devices there are, 1 to 1,000,000. Default 1. Ignored when <see cref="Ids"/> is set.</summary>
    public int Count { get; init; } = 1;

    /// <summary>
    /// Gets how made-up ids begin: then follows a number from 1, in upper-case hexadecimal, that fills the id up to 12 characters and
    /// has 4 digits at least. Default <c>02</c>: <c>020000000001</c>, <c>020000000002</c>, and so on.
    /// </summary>
    public string IdPrefix { get; init; } = DefaultIdPrefix;

    /// <summary>Gets the ids, each once; empty (the default) makes them up.</summary>
    public ImmutableArray<string> Ids { get; init; } = [];

    /// <summary>Gets how the devices behave at first; each can be changed later.</summary>
    public DeviceBehavior Behavior { get; init; } = DeviceBehavior.Default;

    /// <summary>
    /// Gets how many connections the devices share, at most one each. Default 0: one each for up to 100 devices, otherwise a
    /// single one. A connection has one last will, so only a device with a connection of its own has one.
    /// </summary>
    public int Connections { get; init; }

    /// <summary>Gets what a connection subscribes to.</summary>
    public FleetSubscription Subscription { get; init; }

    /// <summary>
    /// Gets how often each device reports all its pins unasked; <see langword="null"/> (the default) is never. The reports of a fleet are
    /// spread evenly over the interval.
    /// </summary>
    public TimeSpan? ReportInterval { get; init; }

    /// <summary>Gets the seed of everything random: splits, jitter, extra fields. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Gets the MQTT version.</summary>
    public SimulatedMqttVersion MqttVersion { get; init; }

    /// <summary>Gets the quality of service of updates and of the subscriptions, 0 or 1. Default 1.</summary>
    public int QualityOfService { get; init; } = 1;

    /// <summary>
    /// Gets whether the broker keeps commands for a device that is away, up to an hour. Default <see langword="false"/>. Devices with a
    /// connection of their own use their id as client id either way.
    /// </summary>
    public bool PersistentSession { get; init; }

    /// <summary>Gets what happens while the broker is away.</summary>
    public ReconnectPolicy Reconnect { get; init; }

    /// <summary>Gets how often an idle connection is checked. Default 30 seconds; whole seconds, 1 to 65535.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Gets the first <c>boot</c> number. Default: the seconds since 1970 at the start, so that a fleet that is started again with the same
    /// ids counts as rebooted and its first updates are not taken for late ones.
    /// </summary>
    public long? FirstBoot { get; init; }

    /// <summary>Gets whether each device keeps every command it received in <see cref="SimulatedDevice.Commands"/>. Default no.</summary>
    public bool RecordCommands { get; init; }

    /// <summary>Gets <see cref="Broker"/> without user and password, for messages.</summary>
    public string BrokerName => MqttOptions.Display(Broker);

    internal int ConnectionCount(int devices) =>
        Connections > 0 ? Math.Min(Connections, devices) : devices <= MaxDefaultConnections ? devices : 1;

    internal ImmutableArray<string> DeviceIds()
    {
        if (!Ids.IsDefaultOrEmpty)
        {
            return Ids;
        }

        var format = "X" + Math.Max(4, 12 - IdPrefix.Length).ToString(CultureInfo.InvariantCulture);
        var ids = ImmutableArray.CreateBuilder<string>(Count);
        for (var number = 1; number <= Count; number++)
        {
            ids.Add(IdPrefix + number.ToString(format, CultureInfo.InvariantCulture));
        }

        return ids.MoveToImmutable();
    }

    internal void Validate()
    {
        List<string> problems = [];
        if (Broker is not { IsAbsoluteUri: true, Scheme: "mqtt" or "mqtts" or "ws" or "wss", Host.Length: > 0 })
        {
            problems.Add($"{nameof(Broker)} must be an address such as mqtt://127.0.0.1:1883 (or mqtts, ws, wss)");
        }

        if (Count is < 1 or > 1_000_000)
        {
            problems.Add($"{nameof(Count)} must be 1 to 1000000 but is {Count}");
        }

        var bad = (Ids.IsDefaultOrEmpty ? [IdPrefix + "0000"] : Ids).FirstOrDefault(id => !IsValidId(id));
        if (bad is not null || IdPrefix is null)
        {
            problems.Add($"an id must be 1 to 128 bytes without '/', '+', '#' and control characters, but one is '{bad}'");
        }

        if (!Ids.IsDefaultOrEmpty && Ids.Distinct(StringComparer.Ordinal).Count() != Ids.Length)
        {
            problems.Add($"{nameof(Ids)} must name each device once");
        }

        if (Connections < 0)
        {
            problems.Add($"{nameof(Connections)} must not be negative but is {Connections}");
        }

        if (ReportInterval <= TimeSpan.Zero)
        {
            problems.Add($"{nameof(ReportInterval)} must be more than zero but is {ReportInterval}");
        }

        if (QualityOfService is not (0 or 1))
        {
            problems.Add($"{nameof(QualityOfService)} must be 0 or 1 but is {QualityOfService}");
        }

        if (KeepAlive < TimeSpan.FromSeconds(1) || KeepAlive > TimeSpan.FromSeconds(ushort.MaxValue))
        {
            problems.Add($"{nameof(KeepAlive)} must be 1 to 65535 seconds but is {KeepAlive}");
        }

        problems.AddRange(Behavior.Problems());
        if (problems.Count > 0)
        {
            throw new ArgumentException($"The simulated fleet cannot be made: {string.Join("; ", problems)}.");
        }
    }

    private static bool IsValidId(string? id) =>
        !string.IsNullOrEmpty(id)
        && id.Length <= 128
        && Encoding.UTF8.GetByteCount(id) <= 128
        && !id.Any(c => c is '/' or '+' or '#' || char.IsControl(c));
}
