using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using MqttDeviceCluster.Fleet;

namespace MqttDeviceCluster;

/// <inheritdoc cref="IFleetService"/>
internal sealed class FleetService(
    GrainId grainId, Silo silo, FleetWatches watches, FleetIntake intake, FleetReader reader, FleetStores stores, ILoggerFactory loggerFactory)
    : GrainService(grainId, silo, loggerFactory), IFleetService
{
    public Task<WatchSource> WatchAsync(WatchRegistration registration, bool isLate) => Task.FromResult(watches.Add(registration, isLate));

    public Task UnwatchAsync(Guid watchId) => watches.RemoveAsync(watchId);

    public Task<bool> RelayAsync(Guid watchId, WatchBatch batch) => watches.SendForAsync(watchId, batch);

    public Task<ImmutableArray<WatchRegistration>> GetWatchesAsync() => Task.FromResult(watches.Registrations);

    public Task<ImmutableArray<DeviceSnapshot>> GetActiveAsync(ImmutableArray<string> deviceIds) => Task.FromResult(reader.GetActive(deviceIds));

    public Task<ImmutableArray<DeviceSnapshot>> GetActiveAfterAsync(string? deviceId, string? idPrefix, int maxDevices) =>
        Task.FromResult(reader.GetActiveAfter(deviceId, idPrefix, maxDevices));

    public Task NoteIntakeAsync(SiloAddress silo, bool isThere, DateTimeOffset? since)
    {
        intake.Note(silo, isThere, since);
        return Task.CompletedTask;
    }

    public Task<bool> IsStoreFailingAsync() => Task.FromResult(stores.OwnFails);
}
