using MqttDeviceCluster.Streaming.Mqtt;

namespace MqttDeviceCluster.Silo;

/// <summary>
/// While the store fails, here or on another silo, updates wait at the broker, and none is dead-lettered for it. Likewise those of the devices of a silo that was lost: their
/// deliveries failed with it.
/// </summary>
internal sealed class DeliveryGate(IDeviceStore store, IClusterStores others, IClusterMembershipService membership, TimeProvider time) : IMqttDeliveryGate
{
    /// <summary>Long enough for the provider to see it: it asks several times a second, and goes on holding for a while.</summary>
    private static readonly TimeSpan LossIsNews = TimeSpan.FromSeconds(2);

    /// <summary>Longer than a healthy device's updates can fail because silos are lost, and a silo that crashes again and again does not keep poison alive for ever.</summary>
    internal static readonly TimeSpan MaxHoldForLosses = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly HashSet<SiloAddress> _lost = [];
    private MembershipVersion? _seen;
    private long _lostAt;

    public bool StoreFails => store.IsFailing;

    public TimeSpan HoldFailuresFor => StoreFails || others.AnotherFails ? TimeSpan.MaxValue : HasLostASilo() ? MaxHoldForLosses : TimeSpan.Zero;

    private bool HasLostASilo()
    {
        lock (_lock)
        {
            var snapshot = membership.CurrentSnapshot;
            if (snapshot.Version != _seen)
            {
                // What was so before this silo came is no news.
                var isFirst = _seen is null;
                _seen = snapshot.Version;
                foreach (var member in snapshot.Members.Values)
                {
                    if (member.Status == SiloStatus.Dead && _lost.Add(member.SiloAddress) && !isFirst)
                    {
                        _lostAt = time.GetTimestamp();
                    }
                }

                // Orleans forgets them after a while.
                _lost.RemoveWhere(silo => !snapshot.Members.ContainsKey(silo));
            }

            return _lostAt != 0 && time.GetElapsedTime(_lostAt) < LossIsNews;
        }
    }
}
