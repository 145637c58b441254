using System.Collections.Immutable;

namespace MqttDeviceCluster.Tests.Silo.Hosting;

/// <summary>The members of a cluster as a test says.</summary>
internal sealed class Members : IClusterMembershipService
{
    public ClusterMembershipSnapshot CurrentSnapshot { get; private set; } = new(ImmutableDictionary<SiloAddress, ClusterMember>.Empty, new(0));

    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

    public void Set(long version, params (SiloAddress Silo, SiloStatus Status)[] members) => CurrentSnapshot = new(
        members.ToImmutableDictionary(static member => member.Silo, static member => new ClusterMember(member.Silo, member.Status, "silo")), new(version));

    public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException();
}
