using System.Collections.Immutable;

namespace MqttDeviceCluster.Simulator;

/// <summary>How an answer is cut into updates.</summary>
public enum UpdateSplit
{
    /// <summary>One update with every pin of the answer.</summary>
    Together = 0,

    /// <summary>One update for each pin.</summary>
    PerPin = 1,

    /// <summary>Neighbouring pins in updates of random sizes, the same for the same seed.</summary>
    Random = 2,
}

/// <summary>Which edges of a pulse a device reports.</summary>
[Flags]
public enum PulseReports
{
    /// <summary>Neither.</summary>
    None = 0,

    /// <summary>The first edge, at once: old firmware.</summary>
    FirstEdge = 1,

    /// <summary>The way back, when the pulse ends and the pin is in the inverse state: later firmware.</summary>
    WayBack = 2,

    /// <summary>Both.</summary>
    Both = FirstEdge | WayBack,
}

/// <summary>How a device announces itself on <c>device/{id}/status</c>.</summary>
public enum StatusStyle
{
    /// <summary>Not at all: the base profile.</summary>
    None = 0,

    /// <summary><c>{"online":true,"boot":17,"fw":"1.6.0"}</c>, with a last will and a goodbye.</summary>
    Json = 1,

    /// <summary>The plain words <c>online</c> and <c>offline</c>, with a last will and a goodbye.</summary>
    Word = 2,
}

/// <summary>
/// How a simulated device answers. The default is the base profile: one update with every asked pin, at once, a pulse reported on its
/// first edge. All parts combine.
/// </summary>
public sealed record DeviceBehavior
{
    /// <summary>Gets the base profile.</summary>
    public static DeviceBehavior Default { get; } = new();

    /// <summary>
    /// Gets the pins of a device that just started. Default: 13 and 14, outputs, low. A <c>get</c> of any other pin is answered with mode
    /// -1 (disabled) and state 0.
    /// </summary>
    public ImmutableArray<SimulatedPin> InitialPins { get; init; } = [new(13, 3, 0), new(14, 3, 0)];

    /// <summary>Gets how an answer is cut into updates.</summary>
    public UpdateSplit Split { get; init; }

    /// <summary>Gets which edges of a pulse are reported. Default <see cref="PulseReports.FirstEdge"/>.</summary>
    public PulseReports Pulses { get; init; } = PulseReports.FirstEdge;

    /// <summary>Gets whether every element of an update carries the fields <c>rssi</c> and <c>voice_call_state</c> as well.</summary>
    public bool ExtraFields { get; init; }

    /// <summary>Gets how long an update takes to leave the device. Default zero: before the command is acknowledged.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>
    /// Gets how much is added to <see cref="Delay"/> at most, drawn anew for each update. Without <see cref="Reorder"/> the updates of a
    /// device keep their order all the same.
    /// </summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Gets whether the device acts on commands but never sends an update.</summary>
    public bool Silent { get; init; }

    /// <summary>Gets how many times each update is sent, 1 to 100. Default 1.</summary>
    public int Copies { get; init; } = 1;

    /// <summary>
    /// Gets whether updates overtake each other: those of one answer leave in reverse order, and those of several answers in the order of
    /// their <see cref="Jitter"/>. Numbers of <see cref="Envelope"/> tell the true order.
    /// </summary>
    public bool Reorder { get; init; }

    /// <summary>Gets whether updates are published with the retain flag.</summary>
    public bool RetainUpdates { get; init; }

    /// <summary>Gets whether an update is an object <c>{"boot":…,"seq":…,"pins":[…]}</c>.</summary>
    public bool Envelope { get; init; }

    /// <summary>Gets whether an answer carries the Correlation Data of its command (MQTT 5 only).</summary>
    public bool Echo { get; init; }

    /// <summary>
    /// Gets whether a command that arrives after its <c>deadline</c> is left undone and unanswered, as a device on a broker without
    /// message expiry should. Such commands are counted either way.
    /// </summary>
    public bool HonorDeadline { get; init; }

    /// <summary>Gets how the device announces itself. Read when the device connects.</summary>
    public StatusStyle Status { get; init; }

    /// <summary>
    /// Gets whether the device reports all its pins, unasked, whenever it has connected and announced itself, as most firmware does. Default no: whoever counts updates wants those that
    /// he asked for. Read when the device connects.
    /// </summary>
    public bool ReportsOnConnect { get; init; }

    /// <summary>Gets the <c>fw</c> of a <see cref="StatusStyle.Json"/> birth.</summary>
    public string Firmware { get; init; } = "1.6.0";

    /// <summary>
    /// Gets the share of answers, 0 to 1, that are preceded by a payload which breaks the protocol, drawn from
    /// <see cref="BadPayload.All"/>. Default 0.
    /// </summary>
    public double BadPayloadShare { get; init; }

    internal IEnumerable<string> Problems()
    {
        if (InitialPins.IsDefault || InitialPins.Select(pin => pin.Pin).Distinct().Count() != InitialPins.Length)
        {
            yield return $"{nameof(InitialPins)} must name each pin once";
        }

        if (Delay < TimeSpan.Zero || Jitter < TimeSpan.Zero)
        {
            yield return $"{nameof(Delay)} and {nameof(Jitter)} must not be negative but are {Delay} and {Jitter}";
        }

        if (Copies is < 1 or > 100)
        {
            yield return $"{nameof(Copies)} must be 1 to 100 but is {Copies}";
        }

        if (BadPayloadShare is not (>= 0 and <= 1))
        {
            yield return $"{nameof(BadPayloadShare)} must be 0 to 1 but is {BadPayloadShare}";
        }
    }
}
