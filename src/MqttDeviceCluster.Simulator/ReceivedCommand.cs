using System.Collections.Immutable;

namespace MqttDeviceCluster.Simulator;

/// <summary>One element of a command. What the command did not name is <see langword="null"/>.</summary>
/// <param name="Pin">The pin.</param>
/// <param name="Mode">The mode (config).</param>
/// <param name="State">The state (config, set).</param>
/// <param name="Time">The length of the pulse (set).</param>
public readonly record struct CommandedPin(int Pin, int? Mode, int? State, TimeSpan? Time);

/// <summary>A command as it reached a device, properties included.</summary>
public sealed record ReceivedCommand
{
    /// <summary>Gets the device.</summary>
    public required string DeviceId { get; init; }

    /// <summary>Gets what the command asks for.</summary>
    public required CommandKind Kind { get; init; }

    /// <summary>Gets the topic.</summary>
    public required string Topic { get; init; }

    /// <summary>Gets the payload, byte for byte.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Gets when it arrived, by the fleet's clock (UTC).</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>Gets the elements; empty when <see cref="Problem"/> is not <see langword="null"/>.</summary>
    public ImmutableArray<CommandedPin> Pins { get; init; } = [];

    /// <summary>Gets why the payload is not a command, or <see langword="null"/>. The device ignores such a command.</summary>
    public string? Problem { get; init; }

    /// <summary>Gets the quality of service it was delivered with: 0, 1 or 2.</summary>
    public int QualityOfService { get; init; }

    /// <summary>Gets whether the broker marked it as retained. A command never should be.</summary>
    public bool Retained { get; init; }

    /// <summary>Gets whether the broker marked it as delivered before.</summary>
    public bool Duplicate { get; init; }

    /// <summary>Gets what is left of its Message Expiry, in seconds, or <see langword="null"/> without one.</summary>
    public uint? MessageExpirySeconds { get; init; }

    /// <summary>Gets the Correlation Data, or <see langword="null"/> without one.</summary>
    public ReadOnlyMemory<byte>? CorrelationData { get; init; }

    /// <summary>Gets the Response Topic, or <see langword="null"/> without one.</summary>
    public string? ResponseTopic { get; init; }

    /// <summary>Gets the Content Type, or <see langword="null"/> without one.</summary>
    public string? ContentType { get; init; }

    /// <summary>Gets the user properties, in the order of the wire.</summary>
    public ImmutableArray<KeyValuePair<string, string>> UserProperties { get; init; } = [];

    /// <summary>Gets the user property <c>deadline</c> (UTC), or <see langword="null"/> when there is none that can be read.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Gets whether it arrived after its <see cref="Deadline"/>.</summary>
    public bool IsPastDeadline => ReceivedAt > Deadline;
}
