using System.Collections.Immutable;
using Orleans.Concurrency;

namespace MqttDeviceCluster;

/// <summary>One device. The grain's key is the device id, verbatim.</summary>
/// <remarks>
/// Commands to one device run one at a time, in the order they arrive; its updates are applied while a command waits. Reads
/// and waits never stand in line. Most callers want <c>IDeviceCluster</c>, which has the same calls by device id.
/// </remarks>
[Alias("MqttDeviceCluster.IDeviceGrain")]
public interface IDeviceGrain : IGrainWithStringKey
{
    /// <summary>Puts pins into modes and waits until the device confirms the mode of every one of them.</summary>
    /// <param name="pins">1 to 256 pins, each named once.</param>
    /// <param name="options">Timeout (default 5 s, the wait in line included) and whether to wait for the device.</param>
    /// <param name="cancellationToken">
    /// Leaves the line, or stops waiting. A command that was already published may still take effect.
    /// </param>
    /// <returns>The updates that confirmed the command, one per asked pin, and the evidence they are.</returns>
    /// <exception cref="ArgumentException">
    /// No pins, more than 256, a pin named twice or negative, a mode or state without a name, or a timeout out of range. Nothing was published.
    /// </exception>
    /// <exception cref="DeviceBusyException">The device's command line is full; nothing was published. Try again later.</exception>
    /// <exception cref="DeviceOfflineException">
    /// The broker knows no subscriber for the device, or it is known to be offline and <see cref="CommandOptions.WhenOffline"/> says so; nothing happened.
    /// </exception>
    /// <exception cref="BrokerUnavailableException">The broker is away or refused the command; see its properties.</exception>
    /// <exception cref="DeviceInterruptedException">The silo is stopping, or the link was lost while publishing; try again.</exception>
    /// <exception cref="DeviceTimeoutException">
    /// No confirmation within the timeout. Whether the command took effect is unknown, unless
    /// <see cref="DeviceTimeoutException.Published"/> is <see langword="false"/>; doing the same again is safe.
    /// </exception>
    [Alias("ConfigPinsAsync"), AlwaysInterleave, ResponseTimeout("1.02:00:00")]
    Task<CommandResult> ConfigPinsAsync(
        ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Sets output pins and waits until the device confirms every one of them.</summary>
    /// <param name="pins">1 to 256 pins, each named once. A <see cref="SetPin.Time"/> makes that pin a pulse.</param>
    /// <param name="options">Timeout (default 5 s, the wait in line included) and the evidence asked for.</param>
    /// <param name="cancellationToken">
    /// Leaves the line, or stops waiting. A command that was already published may still take effect.
    /// </param>
    /// <returns>The updates that confirmed the command, one per asked pin, and the evidence they are.</returns>
    /// <exception cref="ArgumentException">
    /// No pins, more than 256, a pin named twice or negative, a state without a name, a pulse that is not more than zero and
    /// at most a day, or a timeout out of range. Nothing was published.
    /// </exception>
    /// <exception cref="DeviceBusyException">The device's command line is full; nothing was published. Try again later.</exception>
    /// <exception cref="DeviceOfflineException">
    /// The broker knows no subscriber for the device, or it is known to be offline and <see cref="CommandOptions.WhenOffline"/> says so; nothing happened.
    /// </exception>
    /// <exception cref="BrokerUnavailableException">The broker is away or refused the command; see its properties.</exception>
    /// <exception cref="DeviceInterruptedException">The silo is stopping, or the link was lost while publishing; try again.</exception>
    /// <exception cref="DeviceTimeoutException">
    /// No confirmation within the timeout. The pins may or may not have changed, unless
    /// <see cref="DeviceTimeoutException.Published"/> is <see langword="false"/>; setting the same state again is safe, a pulse would be
    /// given twice.
    /// </exception>
    [Alias("SetPinsAsync"), AlwaysInterleave, ResponseTimeout("1.02:00:00")]
    Task<CommandResult> SetPinsAsync(
        ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Asks the device for its pins and waits until it has named every one of them.</summary>
    /// <param name="pins">
    /// Up to 256 pins, each named once; empty asks for all, and then any update is the answer, since only the device knows how
    /// many pins it has.
    /// </param>
    /// <param name="options">Timeout (default 5 s, the wait in line included).</param>
    /// <param name="cancellationToken">Leaves the line, or stops waiting.</param>
    /// <returns>The updates that answered, one per asked pin.</returns>
    /// <exception cref="ArgumentException">More than 256 pins, a pin named twice or negative, or a timeout out of range.</exception>
    /// <exception cref="DeviceBusyException">The device's command line is full; nothing was published. Try again later.</exception>
    /// <exception cref="DeviceOfflineException">
    /// The broker knows no subscriber for the device, or it is known to be offline and <see cref="CommandOptions.WhenOffline"/> says so.
    /// </exception>
    /// <exception cref="BrokerUnavailableException">The broker is away or refused the command; see its properties.</exception>
    /// <exception cref="DeviceInterruptedException">The silo is stopping, or the link was lost while publishing; try again.</exception>
    /// <exception cref="DeviceTimeoutException">No answer for some of the pins within the timeout; the exception names them.</exception>
    [Alias("UpdateAsync"), AlwaysInterleave, ResponseTimeout("1.02:00:00")]
    Task<CommandResult> UpdateAsync(
        ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Waits until updates match every filter. Publishes nothing and does not stand in the command line.</summary>
    /// <param name="filters">1 to 256 filters, no two of which overlap (see <see cref="PinFilter.Overlaps"/>).</param>
    /// <param name="options">Timeout (default 30 s), and whether one update must match them all.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The update that matched each filter, in the order of the filters.</returns>
    /// <remarks>
    /// A mode or state that the update itself did not name is taken from what was known before, but a filter that asks for a mode or a
    /// state is only matched by an update that names at least one of those it asks for. Retained messages never match.
    /// </remarks>
    /// <exception cref="ArgumentException">No filters, more than 256, two that overlap, or a timeout out of range.</exception>
    /// <exception cref="DeviceBusyException">Too many waits for this device already.</exception>
    /// <exception cref="DeviceInterruptedException">The silo is stopping; wait again.</exception>
    /// <exception cref="DeviceTimeoutException">Not every filter was matched in time; it names the pins of those that were not.</exception>
    [Alias("WaitForAsync"), AlwaysInterleave, ResponseTimeout("1.02:00:00")]
    Task<ImmutableArray<PinUpdate>> WaitForAsync(
        ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Returns what was last known of the device, without asking it.</summary>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    [Alias("GetSnapshotAsync"), AlwaysInterleave]
    Task<DeviceSnapshot> GetSnapshotAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Watches the device: its <see cref="DeviceSnapshotEvent"/>, then what happens to it: <see cref="PinEvent"/> for each change that passes the filter,
    /// <see cref="PresenceEvent"/>, <see cref="DeviceAddedEvent"/>, <see cref="DeviceForgottenEvent"/>.
    /// </summary>
    /// <param name="filter">Which pins' changes are told; <see langword="null"/> for all. The snapshot has all pins.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    /// <returns>
    /// Events in order. A watcher that is more than <see cref="WatchOptions.DefaultBufferSize"/> events behind gets a <see cref="GapEvent"/> and a new snapshot.
    /// <c>IDeviceCluster.WatchAsync</c> goes on by itself where this one ends.
    /// </returns>
    /// <exception cref="DeviceInterruptedException">The activation ends; watch again. A lost silo ends it with Orleans' <c>EnumerationAbortedException</c>.</exception>
    /// <exception cref="DeviceBusyException">Too many watches of this device already.</exception>
    [Alias("WatchAsync"), AlwaysInterleave]
    IAsyncEnumerable<DeviceEvent> WatchAsync(PinFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes the device and its stored state. What the broker keeps for it is left alone, and if it sends again it is a new device. Nothing happens to one that was
    /// never heard of.
    /// </summary>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    /// <returns>Whether there was anything to forget.</returns>
    /// <exception cref="DeviceBusyException">A command runs or waits; try again when none does.</exception>
    /// <exception cref="FleetUnavailableException">The store could not be written, and the device is not forgotten.</exception>
    [Alias("ForgetAsync"), AlwaysInterleave]
    Task<bool> ForgetAsync(CancellationToken cancellationToken = default);
}
