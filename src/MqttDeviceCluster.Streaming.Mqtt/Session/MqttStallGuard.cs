using MqttDeviceCluster.Streaming.Mqtt.Link;

namespace MqttDeviceCluster.Streaming.Mqtt.Session;

/// <summary>
/// Notices that the broker of one connection is silent while it owes something: an answer, or after QoS 0 any sign that it still reads. What is written into such a
/// silence acts whenever the broker wakes up. Not thread-safe.
/// </summary>
internal sealed class MqttStallGuard(MqttLink link, MqttPublishWindow window, TimeSpan limit, TimeProvider timeProvider)
{
    private long _owedSince;
    private long _unheardSince;
    private DateTimeOffset? _unheardExpiry;
    private long _pingedAt;

    /// <summary>Gets whether nothing may be written at the moment.</summary>
    public bool IsStalled => Silence >= limit;

    /// <summary>
    /// Gets for how long the broker has been silent, counted from the oldest message that it owes something for; zero when it owes nothing.
    /// </summary>
    public TimeSpan Silence
    {
        get
        {
            // The connection may have been idle: silence before the oldest message means nothing.
            var since = Math.Min(window.InFlight > 0 ? _owedSince : long.MaxValue, IsUnheard ? _unheardSince : long.MaxValue);
            return since == long.MaxValue ? TimeSpan.Zero : timeProvider.GetElapsedTime(Math.Max(since, link.LastReceived));
        }
    }

    /// <summary>Gets whether the broker owes something.</summary>
    public bool IsOwed => window.InFlight > 0 || IsUnheard;

    /// <summary>Gets when the first message of QoS 0 that may be unread becomes worthless, if one does.</summary>
    public DateTimeOffset? UnheardExpiry => IsUnheard ? _unheardExpiry : null;

    private bool IsUnheard => _unheardSince != 0 && link.LastReceived <= _unheardSince;

    /// <summary>A message is about to be written; it is not in the window yet.</summary>
    public void OnWriting(MqttOutgoingMessage message)
    {
        if (message.QualityOfService != MqttQualityOfService.AtMostOnce)
        {
            _owedSince = window.InFlight == 0 ? timeProvider.GetTimestamp() : _owedSince;
            return;
        }

        if (!IsUnheard)
        {
            _unheardSince = timeProvider.GetTimestamp();
            _unheardExpiry = message.ExpiresAt;
        }
        else if (message.ExpiresAt < _unheardExpiry || _unheardExpiry is null)
        {
            _unheardExpiry = message.ExpiresAt;
        }
    }

    /// <summary>Asks the broker for a sign half-way: one that answers slowly, or not at all because of QoS 0, is told from one that does not read.</summary>
    public void Probe()
    {
        if (Silence >= limit / 2 && (_pingedAt == 0 || link.LastReceived > _pingedAt))
        {
            _pingedAt = timeProvider.GetTimestamp();
            link.Ping();
        }
    }
}
