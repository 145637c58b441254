namespace MqttDeviceCluster.Silo.Hosting;

/// <summary>Tells whether this silo is still part of its cluster.</summary>
internal interface IOwnMembership
{
    /// <summary>Reads it where all silos read it. Whatever can go wrong with a store goes wrong with an exception.</summary>
    Task<bool> IsMemberAsync(CancellationToken cancellationToken);
}

/// <remarks>
/// The silo's own row, read anew: a refresh of Orleans' own view joins one that is under way, which may have been answered before the pause. A silo that
/// was declared dead ends itself as soon as Orleans notices.
/// </remarks>
internal sealed class OwnMembership(ILocalSiloDetails silo, IMembershipTable table) : IOwnMembership
{
    public async Task<bool> IsMemberAsync(CancellationToken cancellationToken)
    {
        var rows = await table.ReadRowAsync(silo.SiloAddress, cancellationToken).WaitAsync(cancellationToken);

        // A row that is gone was one of the dead.
        return rows.TryGet(silo.SiloAddress) is { Item1.Status: not SiloStatus.Dead };
    }
}
