using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>
/// The devices of a cluster: each call of <see cref="IDeviceGrain"/> by device id. Thread-safe; one instance serves a process.
/// </summary>
/// <remarks>
/// <para>Every call also throws <see cref="ArgumentException"/> for a device id that breaks the rules of <see cref="DeviceId.IsValid"/>,
/// <see cref="OperationCanceledException"/> when its token is cancelled, and <see cref="DeviceInterruptedException"/> when its silo was lost or none can be reached. What only asks
/// is asked again for five seconds before.</para>
/// <para>A command that was not published because its silo is stopping or was paused, or that Orleans turned away because it could not be handed to its silo, is tried again for as long as its timeout
/// lasts, after 100 ms at first and after up to a second later on; a caller of <see cref="IDeviceGrain"/> gets the exception at once. One that began and may have been published is never tried again.
/// A wait with <see cref="WaitOptions.IncludeCurrent"/> that was turned away is tried again as well; one that was cut short is not, since it may have missed what it waits for.</para>
/// <para>A cancelled call ends at once; the silo hears of it by a message. A command whose turn comes in that moment is still published, one
/// that is behind another is not.</para>
/// <para>A call whose silo never answers ends with <see cref="DeviceTimeoutException"/> a few seconds after its own timeout.</para>
/// </remarks>
public interface IDeviceCluster
{
    /// <inheritdoc cref="IDeviceGrain.ConfigPinsAsync"/>
    /// <param name="deviceId">The device.</param>
    Task<CommandResult> ConfigPinsAsync(
        string deviceId, ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IDeviceGrain.SetPinsAsync"/>
    /// <param name="deviceId">The device.</param>
    Task<CommandResult> SetPinsAsync(
        string deviceId, ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IDeviceGrain.UpdateAsync"/>
    /// <param name="deviceId">The device.</param>
    Task<CommandResult> UpdateAsync(
        string deviceId, ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IDeviceGrain.WaitForAsync"/>
    /// <param name="deviceId">The device.</param>
    Task<ImmutableArray<PinUpdate>> WaitForAsync(
        string deviceId, ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IDeviceGrain.GetSnapshotAsync"/>
    /// <param name="deviceId">The device.</param>
    Task<DeviceSnapshot> GetSnapshotAsync(string deviceId, CancellationToken cancellationToken = default);

    /// <summary>Returns what was last known of one pin, without asking the device.</summary>
    /// <param name="deviceId">The device.</param>
    /// <param name="pin">The pin, 0 or more.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    /// <returns>The last update of the pin, or <see langword="null"/> if the device never named it.</returns>
    Task<PinUpdate?> GetPinAsync(string deviceId, int pin, CancellationToken cancellationToken = default);

#pragma warning disable RS0026 // The overloads differ in the type of their first parameter; every one ends with the optional token.
    /// <summary>
    /// Watches one device: first its <see cref="DeviceSnapshotEvent"/>, then what happens to it. When its silo is lost, the watch goes on by itself with a
    /// <see cref="GapEvent"/> and a new snapshot.
    /// </summary>
    /// <param name="deviceId">The device; it may be one that was never heard of.</param>
    /// <param name="filter">Which pins' changes are told; <see langword="null"/> for all. Presence is told always.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    IAsyncEnumerable<DeviceEvent> WatchAsync(string deviceId, PinFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Watches the pins of all devices: first a <see cref="WatchStartedEvent"/>, then a <see cref="PinEvent"/> for each change that passes the filter, in order for each
    /// device, and a <see cref="GapEvent"/> wherever some may be missing.
    /// </summary>
    /// <param name="filter">Which changes.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter filter, CancellationToken cancellationToken = default);

    /// <summary>
    /// Watches the fleet: first a <see cref="WatchStartedEvent"/>, then what the options ask for, in order for each device, and a <see cref="GapEvent"/> wherever some may be
    /// missing: the reader was too slow, a silo was lost, or the cluster could not be reached for a while. It goes on by itself after each of them.
    /// </summary>
    /// <param name="options">What is told; <see langword="null"/> for all changes of pins and presence.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    /// <exception cref="ArgumentException">The options are out of range.</exception>
    IAsyncEnumerable<DeviceEvent> WatchAsync(WatchOptions? options = null, CancellationToken cancellationToken = default);
#pragma warning restore RS0026

    /// <summary>Calls back for every pin update that passes the filter, also for those that change nothing, until the result is disposed.</summary>
    /// <param name="filter">Which updates.</param>
    /// <param name="callback">
    /// Called for one update at a time, in order for each device. What it throws is logged, and the next update comes all the same. Its token is cancelled by the disposal.
    /// </param>
    IUpdateSubscription OnUpdate(PinFilter filter, Func<PinEvent, CancellationToken, Task> callback);

    /// <summary>Calls back for every event of a watch over the fleet until the result is disposed.</summary>
    /// <param name="options">What is told.</param>
    /// <param name="callback">
    /// Called for one event at a time, in order for each device, gaps included. What it throws is logged, and the next event comes all the same. Its token is cancelled by the
    /// disposal.
    /// </param>
    /// <exception cref="ArgumentException">The options are out of range.</exception>
    IUpdateSubscription OnUpdate(WatchOptions options, Func<DeviceEvent, CancellationToken, Task> callback);

    /// <summary>
    /// Returns every device that was ever heard of and that passes the filter, the first ones at once. No device is woken up for it. Mostly in the order of the ids, but that
    /// depends on the store.
    /// </summary>
    /// <param name="filter">Which devices; <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <remarks>A device that is heard of or forgotten meanwhile may be there or not; every other one is there once.</remarks>
    /// <exception cref="FleetUnavailableException">The store cannot be read.</exception>
    IAsyncEnumerable<DeviceSnapshot> ListDevicesAsync(DeviceFilter? filter = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IDeviceGrain.ForgetAsync"/>
    /// <param name="deviceId">The device.</param>
    Task<bool> ForgetAsync(string deviceId, CancellationToken cancellationToken = default);
}
