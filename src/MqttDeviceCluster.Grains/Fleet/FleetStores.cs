using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace MqttDeviceCluster;

/// <summary>
/// Asks the other silos how their stores are. The silo that listens delivers to devices wherever they are, and what one of those cannot store says only that it failed: a store may fail
/// for one silo, and one that listens may have no device that shows it that its own does.
/// </summary>
internal sealed partial class FleetStores(
    IFleetPeers peers, IClusterMembershipService membership, ILocalSiloDetails local, ILogger<FleetStores> logger, IDeviceStore? own = null) : IClusterStores
{
    private volatile ImmutableHashSet<SiloAddress> _failing = [];

    public bool AnotherFails => !_failing.IsEmpty;

    /// <summary>Gets whether this silo's store fails.</summary>
    public bool OwnFails => own?.IsFailing == true;

    /// <summary>Asks all others. Called about once a second by one caller.</summary>
    /// <param name="isListening">Whether anybody here needs to know.</param>
    public async Task RunAsync(bool isListening)
    {
        if (!isListening)
        {
            _failing = [];
            return;
        }

        var others = membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status is SiloStatus.Active or SiloStatus.ShuttingDown or SiloStatus.Stopping && !member.SiloAddress.Equals(local.SiloAddress))
            .Select(static member => member.SiloAddress)
            .ToList();
        var before = _failing;
        var answers = await Task.WhenAll(others.Select(AskAsync));

        // Who does not answer is no better than he was. Once it is dead, others have its devices.
        _failing = [.. others.Where((silo, i) => answers[i] ?? before.Contains(silo))];
        foreach (var silo in _failing.Except(before))
        {
            LogFails(silo);
        }

        foreach (var silo in before.Except(_failing))
        {
            LogWorks(silo);
        }
    }

    private async Task<bool?> AskAsync(SiloAddress silo)
    {
        try
        {
            return await peers.Of(silo).IsStoreFailingAsync();
        }
#pragma warning disable CA1031 // Whatever comes from one silo, also from one of another version: it must not hide what the others say.
        catch (Exception exception)
        {
            LogUnreachable(exception, silo);
            return null;
        }
#pragma warning restore CA1031
    }

    [LoggerMessage(LogLevel.Warning, "The store fails on silo {Silo}. What cannot be delivered is delivered again, and not given up, until that is over.")]
    private partial void LogFails(SiloAddress silo);

    [LoggerMessage(LogLevel.Information, "The store does not fail on silo {Silo} any more, or the silo is gone.")]
    private partial void LogWorks(SiloAddress silo);

    [LoggerMessage(LogLevel.Debug, "Silo {Silo} did not say how its store is.")]
    private partial void LogUnreachable(Exception exception, SiloAddress silo);
}
