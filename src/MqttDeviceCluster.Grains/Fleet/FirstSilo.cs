namespace MqttDeviceCluster;

/// <summary>Picks one silo for what one silo should do for the cluster, without asking anyone. When silos come and go, for a moment two may think that it is they, or none.</summary>
internal static class FirstSilo
{
    /// <summary>Returns whether <paramref name="local"/> is the one.</summary>
    public static bool IsFirst(this IClusterMembershipService membership, ILocalSiloDetails local) => membership.CurrentSnapshot.Members.Values
        .Where(static member => member.Status == SiloStatus.Active)
        .All(member => member.SiloAddress.CompareTo(local.SiloAddress) >= 0);
}
