using MqttDeviceCluster.Fleet;
using Orleans.Concurrency;

namespace MqttDeviceCluster;

/// <inheritdoc cref="IFleetGrain"/>
/// <remarks>It holds nothing: any silo's will do, and the caller's gateway has one.</remarks>
[GrainType("device.fleet"), StatelessWorker(1), Reentrant]
internal sealed class FleetGrain(FleetMembers members, FleetDirectory directory) : Grain, IFleetGrain
{
    private const int MaxDevicesPerPage = 10_000;

    public Task<WatchReceipt> WatchAsync(WatchRegistration registration)
    {
        CommandRules.Validate(registration.Options);
        return members.WatchAsync(registration);
    }

    public Task UnwatchAsync(Guid watchId) => members.UnwatchAsync(watchId);

    public Task<DevicePage> ListAsync(DeviceFilter filter, string? continuation, int maxDevices, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDevices, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxDevices, MaxDevicesPerPage);
        return directory.ListAsync(filter, continuation, maxDevices, cancellationToken);
    }
}
