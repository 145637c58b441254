namespace MqttDeviceCluster.Fleet;

/// <summary>The whole fleet, as seen from whichever silo the caller is connected to. The key is 0. Callers want <c>IDeviceCluster</c>.</summary>
[Alias("MqttDeviceCluster.IFleetGrain")]
public interface IFleetGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Starts or renews a watch on every silo. A watch that is not renewed within <see cref="FleetWatch.Lease"/> ends.
    /// </summary>
    /// <param name="registration">The watch; the same each time.</param>
    /// <exception cref="ArgumentException">The options are out of range.</exception>
    [Alias("WatchAsync"), ResponseTimeout("00:00:10")]
    Task<WatchReceipt> WatchAsync(WatchRegistration registration);

    /// <summary>Ends a watch on every silo.</summary>
    /// <param name="watchId">The watch.</param>
    [Alias("UnwatchAsync"), ResponseTimeout("00:00:10")]
    Task UnwatchAsync(Guid watchId);

    /// <summary>Returns the next devices of the fleet. Activates no device.</summary>
    /// <param name="filter">Which devices.</param>
    /// <param name="continuation">Where to go on: <see cref="DevicePage.Continuation"/> of the page before, or <see langword="null"/>.</param>
    /// <param name="maxDevices">How many at most; 1 to 10,000. There may be fewer, also none, although more follow.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="ArgumentException">An argument is out of range, or the continuation is not one of these.</exception>
    /// <exception cref="FleetUnavailableException">The store cannot be read; the message says why.</exception>
    [Alias("ListAsync"), ResponseTimeout("00:00:30")]
    Task<DevicePage> ListAsync(DeviceFilter filter, string? continuation, int maxDevices, CancellationToken cancellationToken = default);
}
