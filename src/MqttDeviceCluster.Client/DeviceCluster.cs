using System.Collections.Immutable;

namespace MqttDeviceCluster;

internal sealed class DeviceCluster(IGrainFactory grains) : IDeviceCluster
{
    public Task<CommandResult> ConfigPinsAsync(
        string deviceId, ImmutableArray<ConfigPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        Device(deviceId).ConfigPinsAsync(pins, options, cancellationToken);

    public Task<CommandResult> SetPinsAsync(
        string deviceId, ImmutableArray<SetPin> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        Device(deviceId).SetPinsAsync(pins, options, cancellationToken);

    public Task<CommandResult> UpdateAsync(
        string deviceId, ImmutableArray<int> pins, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        Device(deviceId).UpdateAsync(pins, options, cancellationToken);

    public Task<ImmutableArray<PinUpdate>> WaitForAsync(
        string deviceId, ImmutableArray<PinFilter> filters, WaitOptions? options = null, CancellationToken cancellationToken = default) =>
        Device(deviceId).WaitForAsync(filters, options, cancellationToken);

    public Task<DeviceSnapshot> GetSnapshotAsync(string deviceId, CancellationToken cancellationToken = default) =>
        Device(deviceId).GetSnapshotAsync(cancellationToken);

    public async Task<PinUpdate?> GetPinAsync(string deviceId, int pin, CancellationToken cancellationToken = default) =>
        (await GetSnapshotAsync(deviceId, cancellationToken)).Pins.FirstOrDefault(update => update.Pin == pin);

    private IDeviceGrain Device(string deviceId)
    {
        DeviceId.ThrowIfInvalid(deviceId, nameof(deviceId));
        return grains.GetGrain<IDeviceGrain>(deviceId);
    }
}
