using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <summary>
/// All known devices. The store is the list: a device is stored before its first message is acknowledged. What a silo has in memory is at least as new as what is
/// stored, and takes its place. Nothing is kept here, so a fleet of a million costs no memory and no start-up.
/// </summary>
internal sealed partial class FleetDirectory(
    IFleetPeers peers,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    TimeProvider time,
    ILogger<FleetDirectory> logger,
    IDeviceStateScan? scan = null)
{
    public static readonly GrainType DeviceType = GrainType.Create(DeviceGrain.TypeName);

    /// <summary>How many states are read for one page at most, whatever the filter leaves of them: a rare device must not make the caller time out.</summary>
    private const int MaxReadPerPage = 20_000;

    private const int ReadSize = 1_000;

    /// <inheritdoc cref="IFleetGrain.ListAsync"/>
    public async Task<DevicePage> ListAsync(DeviceFilter filter, string? continuation, int maxDevices, CancellationToken cancellationToken)
    {
        var found = ImmutableArray.CreateBuilder<DeviceSnapshot>();
        for (var read = 0; read < MaxReadPerPage;)
        {
            var want = Math.Min(ReadSize, maxDevices - found.Count);
            var (devices, next) = await ReadAsync(filter.IdPrefix, continuation, want, cancellationToken);
            found.AddRange(devices.Where(filter.Matches));
            continuation = next;
            if (next is null || maxDevices - found.Count < Math.Min(ReadSize, maxDevices) / 2 || found.Count >= maxDevices)
            {
                // Nearly full: filling the rest would take ever smaller reads, each as dear as a whole one.
                break;
            }

            read += ReadSize;
        }

        return new(found.DrainToImmutable(), continuation);
    }

    /// <summary>Reads the next known devices, the newest of what is stored and what the silos have in memory.</summary>
    private async Task<(IEnumerable<DeviceSnapshot> Devices, string? Continuation)> ReadAsync(
        string? idPrefix, string? continuation, int max, CancellationToken cancellationToken)
    {
        if (scan is null)
        {
            return await ReadActiveAsync(idPrefix, continuation, max);
        }

        // What is only in the store was so when the store was read, and may have changed since.
        var now = time.GetUtcNow();
        DeviceStatePage<DeviceState> page;
        try
        {
            page = await scan.ScanAsync<DeviceState>(DeviceType, DeviceGrain.StateName, idPrefix, continuation, max, cancellationToken);
        }
        catch (InvalidOperationException exception)
        {
            LogScanFailed(exception);
            throw new FleetUnavailableException(exception.Message);
        }

        // After the store: a device that is woken up meanwhile is told from memory.
        var (active, everyoneAnswered) = await AskAsync(peer => peer.GetActiveAsync([.. page.States.Select(static state => state.Key)]));
        var newest = new Dictionary<string, DeviceSnapshot>();
        foreach (var device in active)
        {
            newest[device.DeviceId] = newest.TryGetValue(device.DeviceId, out var other) && other.LastSeen > device.LastSeen ? other : device;
        }

        List<DeviceSnapshot> devices = new(page.States.Count);
        foreach (var (key, stored, storedAt) in page.States)
        {
            var state = stored.Completed();
            if (newest.TryGetValue(key, out var device))
            {
                devices.Add(device);
            }
            else if (state.FirstSeen is not null)
            {
                devices.Add(state.ToSnapshot(key, everyoneAnswered ? now : storedAt));
            }
        }

        return (devices, page.Continuation);
    }

    private async Task<(IEnumerable<DeviceSnapshot> Devices, string? Continuation)> ReadActiveAsync(string? idPrefix, string? after, int max)
    {
        var (active, _) = await AskAsync(peer => peer.GetActiveAfterAsync(after, idPrefix, max));
        var devices = active
            .OrderByDescending(static device => device.LastSeen)
            .DistinctBy(static device => device.DeviceId)
            .OrderBy(static device => device.DeviceId, StringComparer.Ordinal)
            .Take(max)
            .ToList();
        return (devices, devices.Count < max ? null : devices[^1].DeviceId);
    }

    private async Task<(IReadOnlyList<DeviceSnapshot> Devices, bool EveryoneAnswered)> AskAsync(Func<IFleetService, Task<ImmutableArray<DeviceSnapshot>>> ask)
    {
        var silos = membership.CurrentSnapshot.Members.Values.Where(static member => member.Status is SiloStatus.Active or SiloStatus.ShuttingDown or SiloStatus.Stopping);
        var answers = await Task.WhenAll(silos.Select(member => AskOneAsync(member.SiloAddress)));
        return ([.. answers.SelectMany(static answer => answer ?? [])], answers.All(static answer => answer is not null));

        async Task<ImmutableArray<DeviceSnapshot>?> AskOneAsync(SiloAddress silo)
        {
            try
            {
                return await ask(peers.Of(silo));
            }
            catch (Exception exception) when (exception is TimeoutException or OrleansException && !silo.Equals(local.SiloAddress))
            {
                // It is dying, most likely: what it had in memory and not in the store is no more than some times.
                LogSiloSilent(exception, silo);
                return null;
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "The devices cannot be listed: the store cannot be read.")]
    private partial void LogScanFailed(Exception exception);

    [LoggerMessage(LogLevel.Debug, "Silo {Silo} did not say which devices it has in memory.")]
    private partial void LogSiloSilent(Exception exception, SiloAddress silo);
}
