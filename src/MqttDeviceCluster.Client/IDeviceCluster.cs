using System.Collections.Immutable;

namespace MqttDeviceCluster;

/// <summary>
/// The devices of a cluster: each call of <see cref="IDeviceGrain"/> by device id. Thread-safe; one instance serves a process.
/// </summary>
/// <remarks>
/// <para>Every call also throws <see cref="ArgumentException"/> for a device id that breaks the rules of <see cref="DeviceId.IsValid"/>,
/// <see cref="OperationCanceledException"/> when its token is cancelled, and an Orleans exception when no silo can be reached.</para>
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
}
