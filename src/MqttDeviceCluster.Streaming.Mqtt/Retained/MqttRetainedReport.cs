namespace MqttDeviceCluster.Streaming.Mqtt;

/// <summary>What one look for retained messages found.</summary>
/// <param name="Count">How many were seen.</param>
/// <param name="Topics">The topics of the first of them, up to the number that was asked for, in the order the broker sent them.</param>
/// <param name="IsComplete">Whether the broker had fallen silent; otherwise time was up, and there may be more.</param>
public sealed record MqttRetainedReport(long Count, IReadOnlyList<string> Topics, bool IsComplete)
{
    private const int MaxShown = 120;

    /// <summary>Gets whether there is none. A look that found none before time was up does not say so.</summary>
    public bool IsNone => Count == 0 && IsComplete;

    /// <summary>Gets the count in words: <c>3</c>, or <c>at least 3</c>.</summary>
    public string CountText => IsComplete ? $"{Count}" : $"at least {Count}";

    /// <summary>Returns a topic as it may be shown: whoever published to it chose its characters and its length.</summary>
    public static string Show(string topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        var shown = topic.Length <= MaxShown ? topic : $"{topic.AsSpan(0, MaxShown)}…";
        return shown.Any(char.IsControl) ? string.Concat(shown.Select(c => char.IsControl(c) ? '\uFFFD' : c)) : shown;
    }
}

/// <summary>What a clearing did.</summary>
/// <param name="Cleared">How many retained messages were cleared.</param>
/// <param name="Left">What the last look found: nothing, unless someone publishes them again, or faster than they are cleared.</param>
public sealed record MqttRetainedClearing(long Cleared, MqttRetainedReport Left);
